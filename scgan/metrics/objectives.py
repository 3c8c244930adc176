"""What a search can minimise: quick, on the validation part, with one seed for every trial."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from scgan.capabilities import cluster_probabilities
from scgan.config import suggest
from scgan.data.dataset import Dataset
from scgan.metrics.attributes import control_accuracy, diversity
from scgan.metrics.clustering import cluster_information
from scgan.metrics.distributions import c2st, energy_distance, sliced_wasserstein
from scgan.metrics.image_scores import PIXELS
from scgan.metrics.images import features, fid

Objective = Callable[[Any, Dataset, int], float]
"""From a trained model, the data with its validation part, and a seed, to a figure to minimise."""

NUM_ROWS, NUM_IMAGES = 100_000, 2_000  # of the validation part that a trial is compared with
NUM_DRAWS = 4  # samples a validation row, so that what is compared is the models, not their draws
C2ST_ROWS, C2ST_DRAWS = 5000, 2  # a side, and how often they are drawn; each takes seconds
NUM_PROJECTIONS = 64  # the same for all trials


def _as_given(model: Any, data: Dataset, num: int, generator: torch.Generator) -> Tensor:
    """Samples as a user gets them: values that rows share are the shared ones."""
    schema = data.table_schema
    return schema.encode(schema.decode(model.sample(num, generator).cpu()))


def _sliced_wasserstein(model: Any, data: Dataset, seed: int) -> float:
    """Distance of samples, ``NUM_DRAWS`` for each row, to rows, in standardised units."""
    x = data.test[:NUM_ROWS]
    generator = torch.Generator(model.device).manual_seed(seed)
    samples = _as_given(model, data, NUM_DRAWS * len(x), generator)
    directions = torch.Generator().manual_seed(seed)
    return sliced_wasserstein(samples, x, num_projections=NUM_PROJECTIONS, generator=directions)


def _energy_distance(model: Any, data: Dataset, seed: int) -> float:
    """A mean over draws: one compares 5,000 rows a side, whatever it is given."""
    x, rows = data.test[:NUM_ROWS], torch.Generator(model.device).manual_seed(seed)
    draws = (_as_given(model, data, min(len(x), 5000), rows) for _ in range(NUM_DRAWS))
    return fmean(
        energy_distance(drawn, x, unbiased=False, generator=torch.Generator().manual_seed(seed))
        for drawn in draws
    )


def _c2st_error(model: Any, data: Dataset, seed: int) -> float:
    """How far from 1/2 the accuracy is at which trees tell samples from rows.

    A mean over draws. On tables whose distances are at their noise floor it still parts models.
    """
    rows = torch.Generator(model.device).manual_seed(seed)
    num = min(len(data.test), C2ST_ROWS)
    accuracies = []
    for draw in range(C2ST_DRAWS):
        samples = _as_given(model, data, num, rows)
        accuracies.append(c2st(samples, data.test, seed=seed + draw, num_max=num))
    return abs(fmean(accuracies) - 0.5)


def _reconstruction_mse(model: Any, data: Dataset, seed: int) -> float:
    x = data.test[:NUM_ROWS]
    return float((model.reconstruct(x).cpu() - x).square().mean())


GENERATION: Mapping[str, Objective] = {
    "sliced_wasserstein": _sliced_wasserstein,
    "energy_distance": _energy_distance,
    "c2st_error": _c2st_error,
}
"""Of systems that model tables."""

TABLE: Mapping[str, Objective] = {**GENERATION, "reconstruction_mse": _reconstruction_mse}
"""Of systems that model tables and reconstruct."""


def _images(model: Any, data: Dataset, seed: int) -> Tensor:
    num = min(NUM_IMAGES, len(data.test))
    images: Tensor = model.sample(num, torch.Generator(model.device).manual_seed(seed))
    return images.cpu()


def _asked(model: Any, data: Dataset, seed: int) -> tuple[Tensor, Tensor]:
    """Images, and the attributes asked for."""
    x, y = model.draw(
        min(NUM_IMAGES, len(data.test)), torch.Generator(model.device).manual_seed(seed)
    )
    return x.cpu(), model.asked(y)


def fid_of(extractor: str) -> Objective:
    """Fréchet distance to the validation images in the features of one of the model's networks."""

    def objective(model: Any, data: Dataset, seed: int) -> float:
        network = model.extractors[extractor]
        real, fake = data.test[:NUM_IMAGES], _images(model, data, seed)
        return fid(features(network, real), features(network, fake))

    return objective


def _fid_pixels(model: Any, data: Dataset, seed: int) -> float:
    """Fréchet distance in the images' own pixels, averaged to 8 by 8."""
    real, fake = data.test[:NUM_IMAGES], _images(model, data, seed)
    return fid(features(PIXELS, real), features(PIXELS, fake))


IMAGES: Mapping[str, Objective] = {"fid_pixels": _fid_pixels}
"""Of systems that model images and bring no network to compare them in."""


def control_error_of(reader: str) -> Objective:
    """Share of images whose attributes a classifier does not find: the model's method of a name."""

    def objective(model: Any, data: Dataset, seed: int) -> float:
        x, y = _asked(model, data, seed)
        return 1 - control_accuracy(getattr(model, reader)(x), y).overall

    return objective


def diversity_error(model: Any, data: Dataset, seed: int) -> float:
    """How far diversity inside attributes, in pixels, is from real images', as their share."""
    x, y = _asked(model, data, seed)
    labels = None if data.test_labels is None else torch.from_numpy(data.test_labels[:NUM_IMAGES])
    real = data.test[:NUM_IMAGES]
    return abs(
        diversity(x, y, seed) / diversity(real / 127.5, model.attributes_of(real, labels), seed) - 1
    )


def cluster_uncertainty(model: Any, data: Dataset, seed: int) -> float:
    """How little a validation row's cluster tells of it, as a share of log K: 0 for sure and even.

    Clusterings of the same K compare; with more clusters it is harder to be sure.
    """
    p = cluster_probabilities(model, data.test[:NUM_ROWS])
    most = math.log(p.shape[1])
    return 1 - cluster_information(p) / most if most else 1.0


def check_metrics(names: Sequence[str], known: Mapping[str, Objective]) -> None:
    """Refuse a metric that a system doesn't have, or the same twice.

    Raises:
        ValueError: For such a name.
    """
    for name in names:
        if name not in known:
            raise ValueError(f"unknown metric {name!r}{suggest(name, known)}")
    if len(set(names)) < len(names):
        raise ValueError(f"the metric {names[0]!r} is given twice; objectives must differ")


def measure(
    model: Any, data: Dataset, metrics: Mapping[str, Objective], seed: int
) -> dict[str, float]:
    """The metrics of a model on the validation rows.

    Raises:
        FloatingPointError: If one is not finite.
    """
    values = {name: metric(model, data, seed) for name, metric in metrics.items()}
    for name, value in values.items():
        if not math.isfinite(value):
            raise FloatingPointError(f"{name} is {value}")
    return values

"""How far generated images are from real ones, in the features of a network that the user names.

No such figure means anything without its extractor and its number of images: Fréchet distances fall
with more images, and no two extractors' compare. :func:`scgan.metrics.image_scores.compare_images`
puts both in the name.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from scgan.data.images.schema import to_float
from scgan.metrics.distributions import nearest_distances
from scgan.nn.pretrained.loading import load_inception, load_resnet

KID_SUBSETS, KID_SUBSET_SIZE = 100, 1000
PERPLEXITY = 30.0


class Extractor(Protocol):
    """A network whose features images are compared in, in evaluation mode.

    Attributes:
        name: Goes into the scores' names.
        num_features: F.
    """

    name: str
    num_features: int

    def __call__(self, images: Tensor) -> Tensor:
        """Features ``[B, F]`` of images ``[B, C, H, W]`` in [-1, 1]."""


@runtime_checkable
class Classifying(Protocol):
    """An extractor that classifies, too: it gives an Inception Score.

    Attributes:
        classifier_name: Goes into the score's name.
    """

    classifier_name: str

    def logits(self, features: Tensor) -> Tensor:
        """Logits ``[B, K]`` of features ``[B, F]``."""


LOADERS: Mapping[str, Callable[[str], Extractor]] = {
    "inception": load_inception,
    "resnet18": lambda path: load_resnet(18, path),
    "resnet50": lambda path: load_resnet(50, path),
}


def load_extractor(spec: str) -> Extractor:
    """A pretrained extractor, its weights from the user's file.

    Args:
        spec: ``name:path``; the name one of "inception", "resnet18", "resnet50", the file ``.pth``
            or ``.safetensors``.

    Returns:
        The network, in evaluation mode, without gradients.

    Raises:
        ValueError: If the name is unknown, the file can't be read or its tensors don't fit.
    """
    name, _, path = spec.partition(":")
    if name not in LOADERS or not path:
        raise ValueError(
            f"unknown extractor {spec!r}: "
            f"give one of {', '.join(LOADERS)} and its weights, name:path"
        )

    return LOADERS[name](path)


@torch.no_grad()
def features(extractor: Extractor, images: Tensor, batch_size: int = 256) -> Tensor:
    """Features of many images, on the extractor's device.

    Args:
        extractor: The network.
        images: ``[N, C, H, W]``, uint8 or floating point in [-1, 1].
        batch_size: Images at once, at least 1.

    Returns:
        ``[N, F]``, float32, on the CPU.

    Raises:
        ValueError: If there are no images.
    """
    if images.ndim != 4 or not len(images):
        raise ValueError(
            f"images must be a non-empty tensor [N, C, H, W], got shape {tuple(images.shape)}"
        )

    device = _device(extractor)
    batches = (floats(batch.to(device)) for batch in images.split(batch_size))
    return torch.cat([extractor(batch).float().cpu() for batch in batches])


@torch.no_grad()
def probabilities(classifier: Classifying, h: Tensor) -> Tensor:
    """Probabilities of the classes, ``[N, K]`` on the CPU, of images with features ``[N, F]``."""
    return classifier.logits(h.to(_device(classifier))).double().softmax(1).cpu()


def floats(images: Tensor) -> Tensor:
    """Images as floating point in [-1, 1], whatever they are stored as."""
    return images if images.is_floating_point() else to_float(images)


def fid(real: Tensor, fake: Tensor) -> float:
    """Fréchet distance of the normal distributions with the features' means and covariances.

    ``|m - m'|^2 + Tr(C + C' - 2 (C C')^(1/2))``, C with N - 1.

    Args:
        real: Features of real images, ``[N, F]``, N at least 2.
        fake: Features of generated images, ``[M, F]``, M at least 2.

    Returns:
        The squared distance, 0 or more up to rounding.

    Raises:
        ValueError: If the shapes don't go together, there are too few rows, or a feature is not
            finite.

    Source: [FID] Eq. (6), by torchmetrics.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance

    real, fake = _pair(real, fake)
    metric = FrechetInceptionDistance(_identity(real.shape[1]), sync_on_compute=False)

    # Sums of squares lose the variances of features far from 0. A common shift changes no distance.
    centre = real.mean(0)
    metric.update(real - centre, real=True)
    metric.update(fake - centre, real=False)
    return float(metric.compute())


def kid(real: Tensor, fake: Tensor, seed: int) -> float:
    """Squared maximum mean discrepancy of features, unbiased; the kernel is ``(x . x' / F + 1)^3``.

    The mean over 100 pairs of random subsets of 1,000 rows; of all rows where there are fewer.

    Args:
        real: Features of real images, ``[N, F]``, N at least 2.
        fake: Features of generated images, ``[M, F]``, M at least 2.
        seed: Of the subsets.

    Returns:
        The estimate; it scatters around 0 for equal distributions.

    Raises:
        ValueError: If the shapes don't go together, there are too few rows, or a feature is not
            finite.

    Source: [KID] Sec. 4, by torchmetrics.
    """
    from torchmetrics.image.kid import poly_mmd

    real, fake = _pair(real, fake)
    generator = torch.Generator().manual_seed(seed)
    size = min(KID_SUBSET_SIZE, len(real), len(fake))
    num_subsets = KID_SUBSETS if max(len(real), len(fake)) > size else 1

    estimates = []
    for _ in range(num_subsets):
        x, y = _some(real, size, generator), _some(fake, size, generator)
        estimates.append(poly_mmd(x, y))
    return float(torch.stack(estimates).mean())


def inception_score(p: Tensor, splits: int = 1) -> tuple[float, float]:
    """Sureness of each image's class and evenness of all: ``exp E KL(p(y | x) || p(y))``.

    Args:
        p: Probabilities of the classes for each image, ``[N, K]``, rows summing to 1.
        splits: Parts, drawn at random, that are scored apart; 1 to N. More of them lower the score.

    Returns:
        Mean and standard deviation over the parts, from 1 to K; the deviation is 0 for one part.

    Raises:
        ValueError: If the rows are no distributions, or ``splits`` is out of range.

    Source: [IS] Sec. 4, by torchmetrics.
    """
    from torchmetrics.image.inception import InceptionScore

    p = p.detach().to("cpu", torch.float64)
    sums_to_one = p.ndim == 2 and p.numel() and bool(((p.sum(1) - 1).abs() < 1e-3).all())
    if not sums_to_one or bool((p < 0).any()):
        raise ValueError(
            f"p must be rows of probabilities [N, K], each summing to 1, got shape {tuple(p.shape)}"
        )

    if not 1 <= splits <= len(p):
        raise ValueError(
            f"splits must be between 1 and the {len(p)} images, got {splits}: 1 or 10 are usual"
        )

    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        torch.default_generator.manual_seed(0)  # it shuffles by the global generator
        # It warns that it keeps what it is given, and that one part has no deviation.
        warnings.simplefilter("ignore")

        metric = InceptionScore(nn.Identity(), splits=splits, sync_on_compute=False)
        metric.update(p.clamp_min(1e-300).log())  # it takes logits
        mean, deviation = metric.compute()

    return float(mean), float(deviation.nan_to_num())


def tsne_coordinates(rows: Tensor, num_dims: int, seed: int) -> Tensor:
    """Embed rows in 2 or 3 dimensions by t-SNE, alike for the same rows and seed.

    Args:
        rows: ``[N, F]``, N at least 4.
        num_dims: 2 or 3.
        seed: Of the embedding.

    Returns:
        ``[N, num_dims]``, float64.

    Source: [TSNE], by scikit-learn with its defaults.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    init = "pca" if rows.shape[1] >= num_dims else "random"  # fewer features: fewer components
    tsne = TSNE(num_dims, perplexity=perplexity, init=init, random_state=seed)

    with threadpool_limits(torch.get_num_threads()):
        return torch.from_numpy(tsne.fit_transform(rows.detach().cpu().float().numpy())).double()


@dataclass(frozen=True)
class Chamfer:
    """Distances of two clouds of points, by squared distances to the nearest point of the other.

    Attributes:
        real_to_fake_sum: Sum over the real points only, as the code of [INFOSCC-GAN] has it: it
            grows with their number, and is blind to generated points where nothing real is.
        symmetric_mean: Mean over the real points plus mean over the generated ones.
        num: Points a side.
    """

    real_to_fake_sum: float
    symmetric_mean: float
    num: int


def chamfer_tsne(real: Tensor, fake: Tensor, seed: int, num: int = 1000) -> Chamfer:
    """Chamfer distances between real and generated features in one joint 3-D t-SNE.

    Args:
        real: Features of real images, ``[N, F]``, N at least 2.
        fake: Features of generated images, ``[M, F]``, M at least 2.
        seed: Of the rows that are taken, and of the embedding.
        num: Most rows taken of each side.

    Returns:
        The distances, in squared units of the embedding, which has no scale of its own.

    Raises:
        ValueError: If the shapes don't go together, there are too few rows, or a feature is not
            finite.

    Source: [INFOSCC-GAN] Sec. 4 and its code. Differs: seeded, and 1,000 rows a side by default,
        not 6,400.
    """
    real, fake = _pair(real, fake)
    generator = torch.Generator().manual_seed(seed)
    num = min(num, len(real), len(fake))
    rows = torch.cat([_some(real, num, generator), _some(fake, num, generator)])

    x, y = tsne_coordinates(rows, 3, seed).split(num)
    forth, back = nearest_distances(x, y).square(), nearest_distances(y, x).square()
    return Chamfer(float(forth.sum()), float(forth.mean() + back.mean()), num)


def _device(network: object) -> torch.device:
    parameters = network.parameters() if isinstance(network, nn.Module) else ()
    return next((parameter.device for parameter in parameters), torch.device("cpu"))


def _identity(num_features: int) -> nn.Module:
    network = nn.Identity()
    network.num_features = num_features  # type: ignore[assignment]
    return network


def _some(rows: Tensor, num: int, generator: torch.Generator) -> Tensor:
    return rows[torch.randperm(len(rows), generator=generator)[:num]]


def _pair(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Check that two sets of features go together and bring them to the CPU in double precision."""
    matrices = real.ndim == fake.ndim == 2
    if not matrices or real.shape[1] != fake.shape[1] or min(len(real), len(fake)) < 2:
        raise ValueError(
            "need features [N, F] and [M, F] of 2 images or more, "
            f"got {tuple(real.shape)} and {tuple(fake.shape)}"
        )

    for name, rows in (("real", real), ("fake", fake)):
        if not bool(rows.isfinite().all()):
            raise ValueError(
                f"the {name} images' features are not finite: "
                "NaN or infinity in the images or weights"
            )

    return real.detach().to("cpu", torch.float64), fake.detach().to("cpu", torch.float64)

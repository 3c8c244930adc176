"""Pictures of a conditional model of images: samples by attribute, degrees, subspaces, failures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from scgan.data.dataset import Dataset
from scgan.data.images.schema import to_float
from scgan.figures import images
from scgan.figures.default_figures import SUBSPACES, nearest_training_images
from scgan.metrics.images import features
from scgan.nn.coefficients import places
from scgan.nn.eigengan import TRAVERSED, traverse

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 12  # attributes that a picture has room for
DEGREES = (0.0, 0.25, 0.5, 0.75, 1.0)
NUM_REAL, NUM_DRAWN = 2000, 2000  # held-out images, and samples
NUM_ASKED, NUM_FAILED = 64, 8  # samples of an attribute, and those that are shown of the worst
SURE = 4.0  # standard errors from which a correlation is named


def draw_by_attribute(model: Any, data: Dataset, seed: int) -> Iterator[tuple[str, Figure]]:
    """Draw a conditional model of images beside held-out ones.

    Args:
        model: The trained system.
        data: Its data.
        seed: Of the samples.

    Yields:
        Each picture with its caption.
    """
    generator = torch.Generator(model.device).manual_seed(seed)
    names = model.attributes.names
    labels = None if data.test_labels is None else torch.from_numpy(data.test_labels[:NUM_REAL])
    real = data.test[:NUM_REAL]
    real_y = model.attributes_of(real, labels)

    caption = (
        "Samples by attribute. Held-out images that have it, and samples of which it was asked."
    )
    yield caption, samples_by_attribute(model, generator, names[:SHOWN], to_float(real), real_y)

    caption = (
        "Attributes by degrees. Each row brings one attribute in from left to right, latents "
        "and noise fixed."
    )
    degrees = attributes_by_degrees(model, generator, len(names[:SHOWN]))
    yield caption, images.attribute_traversal(degrees, names[:SHOWN], DEGREES)

    fake, y, z = draw_with_noise(model, NUM_DRAWN, generator)
    strips = [strip.cpu() for strip in traverse(model.generator, generator, y[:1])]
    found = subspace_names(z, model.degrees(fake), model.generator.importances(), names)
    yield f"{SUBSPACES} {NAMED}", images.traversals(strips, TRAVERSED, found)

    if model.attributes.kind == "one":
        encoder = model.extractors["encoder"]
        h, h_fake = features(encoder, real[:1000]), features(encoder, fake[:1000])
        caption = "Features. Held-out images and samples in a 2-D t-SNE of the encoder's features."
        yield caption, images.tsne(h, real_y[:1000], h_fake, model.asked(y)[:1000], names, seed)

    yield nearest_training_images(model, data, fake)
    yield FAILURES, failures(model, generator, names[:SHOWN])


NAMED = (
    "Beside a dimension: the attribute that the classifier sees change most along it, by "
    "correlation over 2,000 samples."
)
FAILURES = (
    "Failures. Of 64 samples of each attribute, the eight in which the judge sees least of it; "
    "beside its name, the share in which it sees none."
)


def draw_with_noise(
    model: Any, num: int, generator: torch.Generator, chunk: int = 500
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw as the model's ``draw`` does.

    Returns:
        Images ``[num, C, H, W]``, their attributes ``[num, A]`` and noise ``[num, layers, q]``.
    """
    y = model.attributes.sample(num, generator).to(model.device)
    made, noises = [], []
    for rows in y.split(chunk):
        eps, z = model.generator.latents(len(rows), generator)
        with torch.no_grad():
            made.append(model.generator(eps, z, rows).cpu())
        noises.append(z.cpu())
    return torch.cat(made), y, torch.cat(noises)


def subspace_names(
    z: Tensor, degrees: Tensor, importances: Sequence[Tensor], names: Sequence[str]
) -> list[list[str]]:
    """What each dimension of each layer's subspace changes most.

    Args:
        z: Noise of samples, ``[N, layers, q]``.
        degrees: What is read off them, ``[N, A]``.
        importances: Of each layer's dimensions, ``[q]`` each.
        names: Of the attributes.

    Returns:
        A label for each dimension of each layer, most important first, such as ``"Sun +.42"``; no
        text where no correlation is beyond chance.
    """
    rows, columns = _standardised(z.flatten(1)), _standardised(degrees)
    correlation = (rows.T @ columns / len(z)).unflatten(0, z.shape[1:])  # [layers, q, A]
    labels: list[list[str]] = [[] for _ in importances]

    for layer, coordinate in places(importances):
        r = correlation[layer, coordinate]
        most = int(r.abs().argmax())
        sure = float(r[most].abs()) > SURE / math.sqrt(len(z))
        labels[layer].append(f"{names[most]} {float(r[most]):+.2f}" if sure else "")

    return labels


def _standardised(x: Tensor) -> Tensor:
    centred = x.double() - x.double().mean(0)
    return centred / centred.square().mean(0).sqrt().clamp_min(1e-12)


def failures(model: Any, generator: torch.Generator, names: Sequence[str]) -> Figure:
    """Draw the samples that follow their attribute least.

    Args:
        model: Draws images by attribute, and brings a judge.
        generator: Of the samples.
        names: The attributes that are drawn, the first of the model's.

    Returns:
        The figure, a row an attribute, the worst first.
    """
    rows, labels = [], []
    for a, name in enumerate(names):
        made = model.sample(NUM_ASKED, generator, attribute=name)
        with torch.no_grad():
            logits = model.judge.classify(made.to(model.device)).cpu()

        one = model.attributes.kind == "one"
        seen = (logits.softmax(1) if one else logits.sigmoid())[:, a]
        missed = (logits.argmax(1) != a) if one else (logits[:, a] <= 0)
        rows.append(made.cpu()[seen.argsort()[:NUM_FAILED]])
        labels.append(f"{name} {float(missed.float().mean()):.0%}")

    return images.grid(torch.cat(rows), labels)


def samples_by_attribute(
    model: Any,
    generator: torch.Generator,
    names: Sequence[str],
    real: Tensor,
    real_y: Tensor,
) -> Figure:
    """Draw eight samples of each attribute beside eight real images that have it.

    Args:
        model: Draws images by attribute, in [-1, 1].
        generator: Of the samples.
        names: The attributes that are drawn, the first of the model's.
        real: Real images, ``[N, C, H, W]`` in [-1, 1].
        real_y: Their attributes, ``[N]`` or ``[N, A]``.

    Returns:
        The figure.
    """
    has = {
        name: real_y == a if real_y.ndim == 1 else real_y[:, a] > 0 for a, name in enumerate(names)
    }
    fake = {name: model.sample(8, generator, attribute=name).cpu() for name in names}
    return images.by_attribute(fake, {name: real[rows][:8] for name, rows in has.items()})


def attributes_by_degrees(model: Any, generator: torch.Generator, num: int) -> Tensor:
    """One image, each attribute brought in by degrees.

    Where an image has one attribute, it comes in as the one before goes.

    Args:
        model: A conditional generator of images with its attributes.
        generator: Of the one image's latents and noise.
        num: Attributes that are brought in, the first of the model's.

    Returns:
        Images, ``[num, T, C, H, W]`` in [-1, 1], T the number of DEGREES.
    """
    eps, z = model.generator.latents(1, generator)
    identity = torch.eye(len(model.attributes.names), device=model.device)
    degrees = torch.tensor(DEGREES, device=model.device)[:, None]
    rows = []

    for a in range(num):
        start = identity[a - 1] if model.attributes.kind == "one" else torch.zeros_like(identity[a])
        y = (1 - degrees) * start + degrees * identity[a]
        with torch.no_grad():
            rows.append(model.generator(eps.expand(len(y), -1), z.expand(len(y), -1, -1), y).cpu())

    return torch.stack(rows)

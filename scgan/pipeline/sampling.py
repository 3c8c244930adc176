"""What ``scgan sample`` draws from a stored run, and where it writes it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from scgan.config import suggest
from scgan.data.images.schema import ImageSchema
from scgan.data.images.writing import Sampled, check_image_target, write_images
from scgan.data.tables.schema import Schema
from scgan.data.tables.writing import check_target, write_samples
from scgan.pipeline.stored import StoredRun

NUM_ROWS, NUM_IMAGES = 10_000, 100  # if no number is asked for


class _Names(Protocol):
    names: tuple[str, ...]


@runtime_checkable
class Conditional(Protocol):
    """A model of images that have attributes."""

    attributes: _Names

    def draw(self, num: int, generator: torch.Generator, **how: Any) -> tuple[Tensor, Tensor]:
        """Images ``[num, C, H, W]`` and the attributes ``[num, A]`` that were asked for."""

    def asked(self, y: Tensor) -> Tensor:
        """Attributes ``[N, A]`` as classes ``[N]`` where each has one, else as 0 and 1."""


def ways_to_sample(
    stored: StoredRun,
    num: int,
    *,
    cluster: int | None = None,
    latent: str | None = None,
    attribute: str | None = None,
    attributes: str | None = None,
) -> dict[str, Any]:
    """What a command line asks of a model's ``sample``, checked before anything is drawn.

    Args:
        stored: The run.
        num: How many samples.
        cluster: Only this cluster; None for all by their weights.
        latent: A latent model's name; None for the one that the decoder was trained with.
        attribute: Only images with this attribute; None for all by their frequency.
        attributes: ``NAME=DEGREE,...``, degrees 0 to 1, 0 for those that are not named; instead.

    Returns:
        The arguments that were given.

    Raises:
        ValueError: If the system knows no such argument, latent model or attribute.
    """
    given = {"cluster": cluster, "latent": latent, "attribute": attribute, "attributes": attributes}
    how: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    allowed = inspect.signature(stored.model.sample).parameters

    for key in how:
        if ("y" if key == "attributes" else key) not in allowed:
            raise ValueError(f"{stored.spec.system} has no {key} to choose; leave --{key} out")

    if latent is not None and latent not in stored.model.latents:
        raise ValueError(f"unknown latent model {latent!r}{suggest(latent, stored.model.latents)}")

    if attribute is not None and attributes is not None:
        raise ValueError("give --attribute or --attributes, not both")

    if attribute is not None and attribute not in stored.model.attributes.names:
        raise ValueError(
            f"unknown attribute {attribute!r}{suggest(attribute, stored.model.attributes.names)}"
        )

    if attributes is not None:
        del how["attributes"]
        how["y"] = degrees(attributes, stored.model.attributes.names).expand(num, -1)

    return how


def degrees(text: str, names: tuple[str, ...]) -> Tensor:
    """Read ``NAME=DEGREE,...``.

    Args:
        text: Each name at most once, each degree in [0, 1].
        names: The A attributes.

    Returns:
        ``[A]``, 0 for those that are not named.

    Raises:
        ValueError: In one line, for an unknown name or another degree.
    """
    y = torch.zeros(len(names))
    seen = set()

    for part in text.split(","):
        name, equals, degree = part.rpartition("=")
        if not equals:
            raise ValueError(f"--attributes: {part!r} has no degree; give NAME=0.5,...")

        if name not in names:
            raise ValueError(f"unknown attribute {name!r}{suggest(name, names)}")

        if name in seen:
            raise ValueError(f"--attributes names {name!r} more than once")

        try:
            y[names.index(name)] = float(degree)
        except ValueError:
            raise ValueError(f"--attributes: {degree!r} is no number; give NAME=0.5,...") from None

        if not 0 <= float(degree) <= 1:
            raise ValueError(f"--attributes: {part} is out of range; degrees are 0 to 1")

        seen.add(name)

    return y


def check_out(out: str | Path) -> None:
    """Refuse a place where neither rows nor images can be written, before a run is opened.

    Raises:
        ValueError: In one line, with what is allowed or the reason.
    """
    if Path(out).suffix in {".png", ""}:
        check_image_target(out, num=1)
    else:
        check_target(out)


def sample_to(
    out: str | Path, stored: StoredRun, num: int, seed: int, how: Mapping[str, Any]
) -> None:
    """Draw samples of a run into a file, or images into a folder.

    Args:
        out: As :func:`scgan.data.tables.writing.write_samples` takes it, or
            :func:`scgan.data.images.writing.write_images`.
        stored: The run.
        num: How many.
        seed: The same seed draws the same samples.
        how: From :func:`ways_to_sample`.

    Raises:
        ValueError: In one line, if the place can't be written; before anything is drawn.
    """
    generator = torch.Generator().manual_seed(seed)
    if isinstance(stored.schema, Schema):
        check_target(out)
        write_samples(out, stored.schema.decode(stored.model.sample(num, generator, **how)))
        return
    check_image_target(out, num)
    write_images(out, _images(stored.model, stored.schema, num, generator, how))


def _images(
    model: Any, schema: ImageSchema, num: int, generator: torch.Generator, how: Mapping[str, Any]
) -> Sampled:
    if not isinstance(model, Conditional):
        return Sampled(schema.decode(model.sample(num, generator, **how)), None, ())
    x, y = model.draw(num, generator, **how)
    whole = bool(((y == 0) | (y == 1)).all())
    labels = model.asked(y).cpu() if whole else y.cpu().float()
    array = labels.to(torch.uint8).numpy() if whole and labels.ndim == 2 else labels.numpy()
    return Sampled(schema.decode(x), array, tuple(model.attributes.names))

"""What ``scgan sample`` draws from a stored run, and where it writes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scgan.capabilities import Conditional
from scgan.data.images.schema import ImageSchema
from scgan.data.images.writing import Sampled, check_image_target, write_images
from scgan.data.tables.schema import Schema
from scgan.data.tables.writing import check_target, write_samples
from scgan.pipeline.stored import StoredRun

NUM_ROWS, NUM_IMAGES = 10_000, 100  # if no number is asked for


def check_out(out: str | Path) -> None:
    """Refuse a place where neither rows nor images can be written, before a run is opened.

    Raises:
        ValueError: In one line, with what is allowed or the reason.
    """
    if Path(out).suffix in {".png", "", ".zip", ".tar"}:
        check_image_target(out, num=1)
    else:
        check_target(out)


def sample_to(
    out: str | Path, stored: StoredRun, num: int, seed: int, chosen: Mapping[str, Any]
) -> None:
    """Draw samples of a run into a file, or images into a folder.

    Args:
        out: As :func:`scgan.data.tables.writing.write_samples` takes it, or
            :func:`scgan.data.images.writing.write_images`.
        stored: The run.
        num: How many.
        seed: The same seed draws the same samples.
        chosen: From :func:`scgan.capabilities.choose`.

    Raises:
        ValueError: In one line, if the place can't be written; before anything is drawn.
    """
    if isinstance(stored.schema, Schema):
        check_target(out)
        columns = sample_rows(stored, num, seed, chosen)
        write_samples(out, columns, stored.schema.meanings)
        return
    check_image_target(out, num)
    write_images(out, sample_images(stored, num, seed, chosen))


def sample_rows(
    stored: StoredRun, num: int, seed: int, chosen: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Rows of a run on a table, in the units of its data: values ``[num]`` by a column's name."""
    generator = torch.Generator().manual_seed(seed)
    assert isinstance(stored.schema, Schema)
    return stored.schema.decode(stored.model.sample(num, generator, **chosen))


def sample_images(stored: StoredRun, num: int, seed: int, chosen: Mapping[str, Any]) -> Sampled:
    """Images of a run on images, and the attributes that were asked for."""
    generator, model = torch.Generator().manual_seed(seed), stored.model
    assert isinstance(stored.schema, ImageSchema)
    if not isinstance(model, Conditional):
        return Sampled(stored.schema.decode(model.sample(num, generator, **chosen)), None, ())

    x, y = model.draw(num, generator, **chosen)
    whole = bool(((y == 0) | (y == 1)).all())
    labels = model.asked(y).cpu() if whole else y.cpu().float()
    array = labels.to(torch.uint8).numpy() if whole and labels.ndim == 2 else labels.numpy()
    return Sampled(stored.schema.decode(x), array, tuple(model.attributes.names))

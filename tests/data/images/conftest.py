"""Sets of images made here, and what is read of them beside what was written."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from scgan.data.dataset import DataConfig, Dataset
from scgan.data.loading import load


def colours(num: int, size: int = 32, seed: int = 0) -> np.ndarray:
    """Images of one colour each, so that a JPEG keeps them: [N, size, size, 3]."""
    of_one = np.random.default_rng(seed).integers(0, 256, (num, 1, 1, 3), dtype=np.uint8)
    return of_one.repeat(size, 1).repeat(size, 2)


def noise(num: int, size: int = 28) -> np.ndarray:
    return np.random.default_rng(num).integers(0, 256, (num, size, size), dtype=np.uint8)


def save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def images_of(source: Path | str, **settings: Any) -> Dataset:
    return load(DataConfig(source=str(source), **settings), 0)


def refused(source: Path | str, **settings: Any) -> str:
    with pytest.raises(ValueError) as caught:
        images_of(source, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def whole(data: Dataset) -> tuple[np.ndarray, list[Any]]:
    """Both parts together, in an order that no split changes: the user's images, labels."""
    schema = data.image_schema
    shape = (
        (-1, schema.size, schema.size, 3)
        if schema.channels == 3
        else (-1, schema.size, schema.size)
    )
    x = torch.cat([data.train, data.test])
    images = (x.permute(0, 2, 3, 1) if schema.channels == 3 else x).numpy().reshape(shape)
    order = np.lexsort(images.reshape(len(images), -1)[:, :3].T)
    if data.train_labels is None or data.test_labels is None:
        return images[order], []
    return images[order], np.concatenate([data.train_labels, data.test_labels])[order].tolist()


def same(data: Dataset, images: np.ndarray, labels: list[Any]) -> None:
    order = np.lexsort(images.reshape(len(images), -1)[:, :3].T)
    found, found_labels = whole(data)
    assert np.array_equal(found, images[order])
    assert found_labels == ([labels[i] for i in order] if labels else [])

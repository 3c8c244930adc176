"""Sets of images made of another: stacked in channels, or some classes in unequal numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scgan.data.atomic import written_whole
from scgan.data.dataset import DataConfig, Dataset
from scgan.data.loading import load
from scgan.data.tables.writing import write_npz

NUM_TEST = 10_000  # stacked images that are held out


def write_stacked(source: str, num: int, seed: int = 0, num_channels: int = 3) -> Path:
    """Write images whose channels are grey images drawn at random from another set.

    Args:
        source: A file of grey images.
        num: To train on.
        seed: Of the draws.
        num_channels: Of an image.

    Returns:
        The file, beside the source: ``mnist_stacked.npz``, with a test part drawn from the
        source's; one that is there is taken as it is.

    Raises:
        ValueError: If the source holds no grey images, or the file can't be written.

    Source: [VEEGAN] Sec. 4 (stacked MNIST: 128,000 triples of all 70,000 digits).
    """
    path = _beside(source, f"stacked{num}")
    if path.exists():
        return path

    data = _grey(source)
    rng = np.random.default_rng(seed)
    parts = {}
    for name, images, count in (("train", data.train, num), ("test", data.test, NUM_TEST)):
        grey = images[:, 0].numpy()
        rows = rng.integers(0, len(grey), (count, num_channels))
        parts[f"x_{name}"] = np.stack([grey[column] for column in rows.T], axis=-1)
    return _write(path, parts)


def write_thinned(
    source: str, classes: Sequence[str], shares: Sequence[float], seed: int = 0
) -> Path:
    """Write the images of some classes, those to train on in unequal numbers.

    Args:
        source: A file of grey images with a class each.
        classes: Their names, in the order of the shares.
        shares: Of the training images, positive; as many images are kept as these allow.
        seed: Of the images that are kept.

    Returns:
        The file, beside the source: ``mnist_0-4_2-98.npz``; its test part is not thinned. One that
        is there is taken as it is.

    Raises:
        ValueError: If the source holds no grey images or no such class, or the file can't be
            written.
    """
    percent = "-".join(f"{100 * share / sum(shares):g}" for share in shares)
    path = _beside(source, f"{'-'.join(classes)}_{percent}")
    if path.exists():
        return path

    data = _grey(source)
    names = list(data.image_schema.attributes)
    y, y_test = data.train_labels, data.test_labels
    if y is None or y_test is None or not set(classes) <= set(names):
        known = ", ".join(names) or "none"
        raise ValueError(
            f"{source} has not all of the classes {', '.join(classes)}; it has {known}"
        )

    places = [names.index(name) for name in classes]
    members = [np.flatnonzero(y == place) for place in places]
    most = min(len(rows) / share for rows, share in zip(members, shares, strict=True))
    rng, kept = np.random.default_rng(seed), []
    for rows, share in zip(members, shares, strict=True):
        kept.append(rng.permutation(rows)[: max(1, round(most * share))])

    train, test = np.concatenate(kept), np.flatnonzero(np.isin(y_test, places))
    parts = {"x_train": data.train[train, 0].numpy(), "y_train": y[train]}
    return _write(path, {**parts, "x_test": data.test[test, 0].numpy(), "y_test": y_test[test]})


def _grey(source: str) -> Dataset:
    data = load(DataConfig(source=source), 0)
    if data.kind != "images" or data.image_schema.channels != 1:
        raise ValueError(f"{source} holds no grey images")
    return data


def _beside(source: str, what: str) -> Path:
    path = Path(source).expanduser()
    if not path.exists():
        raise ValueError(f"{source}: no file to make others of; give a path on this machine's disk")
    return path.with_name(f"{path.stem}_{what}.npz")


def _write(path: Path, parts: dict[str, np.ndarray]) -> Path:
    with written_whole(path) as place:
        write_npz(place, parts)
    return path

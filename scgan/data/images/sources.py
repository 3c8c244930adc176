"""Readers: .npz, IDX files and the bundled digits to images and labels, not decoded yet."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scgan.data.formats import load_numpy
from scgan.data.images.decoding import Encoded
from scgan.data.images.schema import Labels
from scgan.data.listing import tell_arrays

IDX_NAME = re.compile(r"(train|t10k|test)-(images|labels)[.-]idx\d-ubyte(\.gz)?")
"""MNIST's names; some copies have a dot before ``idx``."""
# Name of the images' array: its labels', and those of the test part.
_NPZ_PARTS: Mapping[str, tuple[tuple[str, ...], str, str]] = {
    "x_train": (("y_train",), "x_test", "y_test"),
    "train_images": (("train_labels",), "test_images", "test_labels"),
    "images": (("labels", "y"), "", ""),
    "X": (("labels", "y"), "", ""),
}

Images = Sequence[Encoded] | np.ndarray
"""N encoded ones, or pixels: uint8, ``[N, H, W]`` or ``[N, H, W, 3]``."""


@dataclass(frozen=True, eq=False)
class Part:
    """The training or the test images of a source.

    Attributes:
        images: N of them.
        labels: int64 ``[N]``, a class each; uint8 ``[N, A]``, which attributes are there; or None.
    """

    images: Images
    labels: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Source:
    """A set of images as its files hold it.

    Attributes:
        train: Those to train on, or all where the source has no test part.
        test: The source's own test part, or None.
        attributes: Names of classes or attributes; empty where it is unlabelled.
        labels: What an image's labels are.
    """

    train: Part
    test: Part | None
    attributes: tuple[str, ...]
    labels: Labels


def labelled(
    train: Images,
    train_values: np.ndarray | None,
    test: Images | None = None,
    test_values: np.ndarray | None = None,
    names: Sequence[str] | None = None,
) -> Source:
    """Put images and their labels' values together.

    Args:
        train: Images.
        train_values: Integers or texts ``[N]``, one class each; or 0 and 1, ``[N, A]``: attributes,
            or, without names and with one 1 in each row, classes; or None.
        test: Images of the test part, or None.
        test_values: Theirs.
        names: Of the attributes; of the classes, which the values then count from 0. None: the
            values are.

    Returns:
        The source; where all images are of one class it is unlabelled.

    Raises:
        ValueError: If labels don't fit the images, each other or the names.
    """
    if train_values is None and test_values is None:
        return Source(Part(train, None), None if test is None else Part(test, None), (), "none")

    values = [_checked(train, train_values)]
    if test is not None:
        values.append(_checked(test, test_values))

    if names is None and all(map(_is_one_hot, values)):
        values = [array.argmax(1) for array in values]
    many = values[0].ndim == 2
    found, labels = _attributes(values, names) if many else _classes(values, names)
    if len(found) == 1 and not many:
        return labelled(train, None, test, None)

    held_out = None if test is None else Part(test, labels[1])
    return Source(Part(train, labels[0]), held_out, found, "many" if many else "one")


def _is_one_hot(values: np.ndarray) -> bool:
    if values.ndim != 2 or values.dtype.kind not in "iub" or not np.isin(values, (0, 1)).all():
        return False
    return bool((values.sum(1) == 1).all())


def _attributes(
    values: list[np.ndarray], names: Sequence[str] | None
) -> tuple[tuple[str, ...], list[np.ndarray]]:
    found = tuple(names) if names else tuple(map(str, range(values[0].shape[1])))
    for array in values:
        if array.shape[1:] != (len(found),) or not np.isin(array, (0, 1)).all():
            raise ValueError(
                f"labels have shape {list(array.shape)}; a column of 0 and 1 for each of {found} "
                "is needed"
            )
    return found, [array.astype(np.uint8) for array in values]


def _checked(images: Images, values: np.ndarray | None) -> np.ndarray:
    if values is None:
        raise ValueError("one part is labelled, the other is not")

    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]

    if len(values) != len(images):
        raise ValueError(f"there are {len(images)} images, but {len(values)} labels")

    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    if values.dtype.kind == "f" and (values == np.round(values)).all():
        values = values.astype(np.int64)

    if values.dtype.kind not in "iubU" or values.ndim > 2:
        raise ValueError(
            f"labels are {values.dtype.name} {list(values.shape)}; they must be integers or texts, "
            "[N]"
        )

    return values


def _classes(
    values: list[np.ndarray], names: Sequence[str] | None
) -> tuple[tuple[str, ...], list[np.ndarray]]:
    known = np.arange(len(names)) if names else np.unique(values[0])
    for array in values:
        odd = array[~np.isin(array, known)]
        if len(odd):
            where = f"{len(known)} names" if names else "the training part"
            raise ValueError(f"class {odd[0].item()!r} has no place among those of {where}")
    found = tuple(names) if names else tuple(map(str, known.tolist()))
    return found, [np.searchsorted(known, array).astype(np.int64) for array in values]


def read_npz(path: Path) -> Source | None:
    """Read an archive with images: uint8 of ``[N, H, W]``, ``[N, H, W, 3]`` or ``[N, 3, H, W]``.

    They are ``x_train`` (and ``x_test``), ``train_images`` (``test_images``), ``images``, ``X`` or
    the only array of such a shape; their labels ``y_train``, ``train_labels``, ``labels`` or ``y``.
    An array ``attributes`` of texts names the attributes or classes.

    Returns:
        The source, or None for a table.

    Raises:
        ValueError: If it can't be read, or the arrays don't fit each other.
    """
    arrays = load_numpy(path)
    if isinstance(arrays, np.ndarray):
        return None

    large = [name for name, array in arrays.items() if array.ndim >= 3]
    matrices = [name for name, array in arrays.items() if array.ndim == 2]
    if not large or "X" in matrices or "x" in matrices:
        return None

    train = next((name for name in _NPZ_PARTS if name in large), large[0])
    if train not in _NPZ_PARTS and len(large) > 1:
        raise ValueError(
            f"{path}: which of {', '.join(large[:8])} are the images? name them images or x_train"
        )

    labels, test, test_labels = _NPZ_PARTS.get(train, (("labels", "y"), "", ""))
    tell_arrays(path, arrays, {train, *labels, test, test_labels, "attributes"})
    try:
        return labelled(
            _pixels(train, arrays[train]),
            next((arrays[name] for name in labels if name in arrays), None),
            _pixels(test, arrays[test]) if test in arrays else None,
            arrays.get(test_labels),
            arrays["attributes"].tolist() if "attributes" in arrays else None,
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _pixels(name: str, array: np.ndarray) -> np.ndarray:
    """An array as uint8, ``[N, H, W]`` or ``[N, H, W, 3]``."""
    if array.ndim == 4 and array.shape[-1] not in (1, 3) and array.shape[1] in (1, 3):
        array = array.transpose(0, 2, 3, 1)

    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]

    if (array.ndim == 4 and array.shape[-1] != 3) or array.ndim not in (3, 4):
        raise ValueError(
            f"{name} has shape {list(array.shape)}; images need [N, H, W], [N, H, W, 3] or "
            "[N, 3, H, W]"
        )

    if array.dtype == bool:
        array = array.astype(np.uint8)  # masks, which are read as black and white

    if array.dtype.kind in "iu" and array.size and 0 <= array.min() and array.max() <= 255:
        array = array.astype(np.uint8, copy=False)

    if array.dtype != np.uint8:
        raise ValueError(f"{name} is {array.dtype.name}; images must be uint8, 0 to 255")

    return array


def read_idx(folder: Path, files: Sequence[Path]) -> Source:
    """Read MNIST's four files, gzipped or not, or only those that are there.

    Args:
        folder: Named in messages.
        files: Named as :data:`IDX_NAME`.

    Returns:
        The source.

    Raises:
        ValueError: If the training images are missing, or a file is damaged, or of another kind.
    """
    if len(folders := sorted({file.parent.name for file in files})) > 1:
        raise ValueError(
            f"{folder}: IDX files in several folders ({', '.join(folders[:8])}); name one of them"
        )

    # Unpacked files come after their gzipped copies, in whose place they are taken.
    found: dict[str, np.ndarray] = {}
    for file in sorted(files, reverse=True):
        part, what = re.split(r"[.-]", file.name)[:2]
        name = f"train {what}" if part == "train" else f"test {what}"
        found[name] = _idx(file, 3 if what == "images" else 1)

    if "train images" not in found:
        raise ValueError(
            f"{folder}: there is no train-images-idx3-ubyte beside the other IDX files"
        )

    try:
        return labelled(
            found["train images"],
            found.get("train labels"),
            found.get("test images"),
            found.get("test labels"),
        )
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from None


def _idx(path: Path, dims: int) -> np.ndarray:
    """One file: two zeros, 8 for bytes, the number of dimensions, each as 4 bytes, the values."""
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(
            f"{path}: can't be unpacked, it is damaged or cut short ({error})"
        ) from None

    if content[:4] != bytes((0, 0, 8, dims)):
        raise ValueError(
            f"{path}: not an IDX file of bytes in {dims} dimensions; it begins with "
            f"{content[:4].hex()!r}"
        )

    shape = np.frombuffer(content, ">i4", min(dims, len(content) // 4 - 1), offset=4)
    values = np.frombuffer(content, np.uint8, offset=min(len(content), 4 + 4 * dims))

    if len(shape) < dims or values.size != shape.prod(dtype=np.int64):
        raise ValueError(
            f"{path}: damaged or cut short: {values.size} bytes for shape {shape.tolist()}"
        )

    return values.reshape(shape.tolist()).copy()  # one that may be written to


def read_digits() -> Source:
    """The 1,797 handwritten digits, 8 by 8 pixels of 17 greys, that scikit-learn brings along."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return labelled(np.round(digits.images * (255 / 16)).astype(np.uint8), digits.target)

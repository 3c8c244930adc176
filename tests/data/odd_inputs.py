"""Inputs as they go wrong for people: a file or folder each, and what is right.

Right is either that the data is read and what is odd of it said, or one line that refuses it before
anything trains. None may pass in silence.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
from PIL import Image
from pyarrow import parquet

NUM = 60
RNG = np.random.default_rng(0)
A = RNG.normal(size=NUM).round(3)
B = RNG.integers(0, 9, NUM)
IDS = 2**60 + 2 * np.arange(NUM) + 1


@dataclass(frozen=True)
class Odd:
    """An input.

    Attributes:
        name: What is odd of it.
        make: Writes it into a folder; its path relative to that, or an address.
        refused: What the line that refuses it must hold; None where it must be read.
        told: What must be said of it where it is read; empty if nothing needs to be.
        names: Columns, or classes, that must be there then.
        rows: How many, where it is not all.
        flags: Words of the command.
        streamed: Whether it must be the same where it is streamed.
    """

    name: str
    make: Callable[[Path], str]
    refused: str | None = None
    told: str = ""
    names: tuple[str, ...] = ("a", "b")
    rows: int = NUM
    flags: Sequence[str] = ()
    streamed: bool = False
    check: Callable[[Any], bool] = field(default=lambda data: True)


def text(content: str | bytes, name: str = "t.csv") -> Callable[[Path], str]:
    """A file of this content."""

    def make(folder: Path) -> str:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return name

    return make


def csv(columns: dict[str, Any], sep: str = ",", end: str = "\n", above: str = "") -> str:
    """Columns as text."""
    rows = zip(*columns.values(), strict=True)
    lines = [sep.join(columns), *(sep.join(map(str, row)) for row in rows)]
    return above + end.join(lines) + end


def table(**columns: Any) -> str:
    """Two good columns, and others, as text."""
    return csv({"a": A, "b": B, **columns})


def part(path: Path, columns: dict[str, Any]) -> None:
    """A parquet file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns), path)


def parts(files: dict[str, dict[str, Any]], *more: Callable[[Path], Any]) -> Callable[[Path], str]:
    """A folder of parquet files, and what else is done to it."""

    def make(folder: Path) -> str:
        for name, columns in files.items():
            part(folder / "set" / name, columns)
        for change in more:
            change(folder / "set")
        return "set"

    return make


def one(**columns: Any) -> Callable[[Path], str]:
    """A parquet file of two good columns, and others."""

    def make(folder: Path) -> str:
        part(folder / "t.parquet", {"a": A, "b": B, **columns})
        return "t.parquet"

    return make


def half(place: int, **columns: Any) -> dict[str, Any]:
    """Two good columns, the one half of their rows or the other, and others."""
    rows = slice(place * NUM // 2, (place + 1) * NUM // 2)
    return {"a": A[rows], "b": B[rows], **{n: values[rows] for n, values in columns.items()}}


def empty(name: str) -> Callable[[Path], None]:
    """A further file of no bytes."""

    def make(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()

    return make


def npz(**arrays: Any) -> Callable[[Path], str]:
    """An archive of arrays."""

    def make(folder: Path) -> str:
        np.savez(folder / "t.npz", **arrays)
        return "t.npz"

    return make


def npy(array: Any) -> Callable[[Path], str]:
    """An array."""

    def make(folder: Path) -> str:
        np.save(folder / "t.npy", array, allow_pickle=True)
        return "t.npy"

    return make


def fill(
    folder: Path, suffix: str = ".png", num: int = 12, most: int = 256, kind: str = "uint8"
) -> None:
    """Images of noise."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(num):
        array = RNG.integers(0, most, (32, 32)).astype(kind)
        image = Image.fromarray(array)
        image.save(folder / f"{i}{'.jpg' if suffix == '.jfif' else suffix}")
        if suffix == ".jfif":
            (folder / f"{i}.jpg").rename(folder / f"{i}.jfif")


def hdf5(attributes: dict[str, Any] | None = None, **sets: Any) -> Callable[[Path], str]:
    """A file of data sets; the last one with attributes, or a link to nothing where it is None."""

    def make(folder: Path) -> str:
        with h5py.File(folder / "t.h5", "w", track_order=True) as file:
            for name, values in sets.items():
                file[name] = h5py.SoftLink("/gone") if values is None else values
            for key, value in (attributes or {}).items():
                file[name].attrs[key] = value
        return "t.h5"

    return make


def below(make: Callable[[Path], str], inside: str) -> Callable[[Path], str]:
    """Something in the folder that was made."""
    return lambda folder: f"{make(folder)}/{inside}"


def frames(folder: Path) -> None:
    """An image of several frames."""
    images = [Image.fromarray(RNG.integers(0, 256, (32, 32)).astype("u1")) for _ in range(3)]
    images[0].save(folder / "0.png", save_all=True, append_images=images[1:])


def zipped(*names: str) -> Callable[[Path], str]:
    """An archive of images of such names."""

    def make(folder: Path) -> str:
        with zipfile.ZipFile(folder / "t.zip", "w") as archive:
            for name in names:
                content = io.BytesIO()
                Image.fromarray(RNG.integers(0, 256, (32, 32)).astype("u1")).save(content, "PNG")
                archive.writestr(name, content.getvalue())
        return "t.zip"

    return make


def pictures(*folders: str, **how: Any) -> Callable[[Path], str]:
    """Folders of images."""

    def make(folder: Path) -> str:
        for name in folders:
            fill(folder / "set" / name, **how)
        return "set"

    return make


def then(make: Callable[[Path], str], *more: Callable[[Path], Any]) -> Callable[[Path], str]:
    """An input to which something else is done."""

    def both(folder: Path) -> str:
        name = make(folder)
        for change in more:
            change(folder / name)
        return name

    return both


def packed(make: Callable[[Path], str], damage: int = 0) -> Callable[[Path], str]:
    """The folder as .zip, so many bytes of its end lost."""

    def zipped(folder: Path) -> str:
        inside = folder / make(folder)
        with zipfile.ZipFile(folder / "t.zip", "w") as archive:
            for file in sorted(inside.rglob("*")):
                archive.write(file, file.relative_to(inside))
        content = (folder / "t.zip").read_bytes()
        (folder / "t.zip").write_bytes(content[: len(content) - damage])
        return "t.zip"

    return zipped


def address(url: str) -> Callable[[Path], str]:
    """An address of no file."""
    return lambda folder: url


def link(name: str, target: str) -> Callable[[Path], None]:
    """A link in the folder."""
    return lambda folder: os.symlink(target, folder / name)


def linked_class(folder: Path) -> None:
    """A class whose folder is a link."""
    fill(folder.parent / "elsewhere")
    os.symlink(folder.parent / "elsewhere", folder / "dog")


def linked_part(folder: Path) -> None:
    """A part in a folder that is a link."""
    part(folder.parent / "elsewhere/1.parquet", half(1))
    os.symlink(folder.parent / "elsewhere", folder / "more")


def marked(value: float, num: int) -> list[float]:
    """A column of which some values are a mark."""
    return [value] * num + A[num:].tolist()


DELTA = json.dumps({"add": {"path": "1.parquet"}}).encode()
LOG = text(DELTA, "_delta_log/00000000000000000000.json")
GAPS = ["", *B[1:].tolist()]
EVENTS = np.rec.fromarrays([A, B], names=["a", "b"])
IN_TWO = {"0.parquet": half(0), "1.parquet": half(1)}

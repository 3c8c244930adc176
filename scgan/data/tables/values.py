"""Values beside plain numbers: what they mean, and which of them are missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Level = str | int | float | bool


@dataclass(frozen=True)
class Meaning:
    """What a column is beyond numpy's type of its values.

    Attributes:
        zone: Of points in time, which are held in UTC, the zone they are told in.
        clock: Whether it holds times of day, as what has passed since midnight.
        large: Whether its texts are of Arrow's type with long offsets.
        empty: Whether the file says no type, as no row has a value.
        levels: Of a categorical type, all that it allows, in its own order.
        ordered: Whether that order means something.
        pandas: Of a file that pandas wrote, its type where that is none of numpy's: ``"Int64"``.
    """

    zone: str | None = None
    clock: bool = False
    large: bool = False
    empty: bool = False
    levels: tuple[Level, ...] | None = None
    ordered: bool = False
    pandas: str | None = None

    def joined(self, other: Meaning) -> Meaning:
        """What the rows of two parts mean together.

        Raises:
            ValueError: If they are points in time of different zones, or numbers that are
                categories in one alone.
        """
        if self == other or other.empty:
            return self
        if self.empty:
            return other

        if (self.zone, self.clock) != (other.zone, other.clock):
            zones = sorted({self.zone or "no zone", other.zone or "no zone"})
            raise ValueError(f"holds times of {' and of '.join(zones)}; make it one")

        if any(not isinstance(level, str) for level in self._lone_levels(other)):
            raise ValueError("holds categories in one part and numbers in another; make it one")

        levels = None
        if self.levels is not None and other.levels is not None:
            levels = tuple(dict.fromkeys([*self.levels, *other.levels]))
        ordered = self.ordered and other.ordered and levels == self.levels
        large = self.large or other.large
        own = self.pandas if self.pandas == other.pandas else None
        return replace(self, levels=levels, ordered=ordered, large=large, pandas=own)

    def _lone_levels(self, other: Meaning) -> tuple[Level, ...]:
        """Levels of the one, where the other has none."""
        if (self.levels is None) == (other.levels is None):
            return ()
        return (self.levels or ()) + (other.levels or ())

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Meaning:
        """Read what :func:`dataclasses.asdict` made, and JSON turned into lists."""
        levels = plain["levels"]
        return cls(**{**plain, "levels": None if levels is None else tuple(levels)})


PLAIN = Meaning()
Meanings = Mapping[str, Meaning]


def join_meanings(parts: Sequence[Meanings], names: Sequence[str]) -> dict[str, Meaning]:
    """What columns mean in all parts together.

    Raises:
        ValueError: If a column has no meaning in common.
    """
    joined: dict[str, Meaning] = {}
    for name in names:
        found = [part.get(name, PLAIN) for part in parts]
        meaning = found[0]
        for other in found[1:]:
            try:
                meaning = meaning.joined(other)
            except ValueError as error:
                raise ValueError(f"column {name!r} {error}") from None

        if meaning != PLAIN:
            joined[name] = meaning

    return joined


def gapped(values: np.ndarray, mask: np.ndarray) -> np.ma.MaskedArray:
    """Values with gaps, a masked array ``[N]``: below the mask NaN where it was, else zero."""
    data = np.array(np.ma.getdata(values))
    blank = mask & ~np.isnan(data) if data.dtype.kind == "f" else mask
    data[blank] = np.zeros(1, data.dtype)
    return np.ma.MaskedArray(data, np.array(mask))


def mask_of(values: np.ndarray) -> np.ndarray:
    """True where there is no value, ``[N]``."""
    return np.asarray(np.ma.getmaskarray(values))


def present(values: np.ndarray) -> np.ndarray:
    """The values of the rows that have one, ``[M]``."""
    return values.compressed() if isinstance(values, np.ma.MaskedArray) else values


def are_nan(values: np.ndarray) -> bool:
    """Whether all gaps of a column of floats are NaN, not nulls."""
    below = np.ma.getdata(values)[mask_of(values)]
    return values.dtype.kind == "f" and bool(np.isnan(below).all())


def plain(values: np.ndarray) -> np.ndarray:
    """As a numpy array has it: NaN for gaps that are NaN, masked where others are."""
    if not isinstance(values, np.ma.MaskedArray):
        return values
    return np.asarray(np.ma.getdata(values)) if are_nan(values) else values


def equal(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two columns of one type hold the same values and gaps."""
    return np.array_equal(mask_of(a), mask_of(b)) and np.array_equal(present(a), present(b))


def concatenated(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Columns one after the other, masked if one of them is."""
    if any(isinstance(array, np.ma.MaskedArray) for array in arrays):
        joined: np.ndarray = np.ma.concatenate(arrays)
        return joined
    return np.concatenate(arrays)


def bytes_of(values: np.ndarray) -> Iterator[bytes | memoryview]:
    """What tells values ``[N]`` from others of their type, in however many batches they come."""
    data = np.ma.getdata(values)
    if data.dtype.kind == "U":
        yield "".join(f"{text}\0" for text in data.tolist()).encode()
    else:
        yield np.ascontiguousarray(data).reshape(-1).view(np.uint8).data

    if isinstance(values, np.ma.MaskedArray):
        yield mask_of(values).tobytes()

"""The files of a table that is streamed: which they are, what they share, how they are read."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path, PurePosixPath

import numpy as np

from scgan.data.formats import local_path, table_files
from scgan.data.images.parquet import has_images
from scgan.data.listing import (
    Cell,
    check_above,
    check_lake,
    is_hidden,
    kind_of,
    partitions,
    table_parts,
    tell_copies,
    tell_unread,
    tell_zeros,
    walk,
)
from scgan.data.raw import arrow_errors
from scgan.data.remote import THREADS, list_names, on_disk, read_end
from scgan.data.tables.arrow import Footer, parquet_batches, read_footer
from scgan.data.tables.checking import (
    Choice,
    check_names,
    checked,
    tell_index,
)
from scgan.data.tables.joining import (
    Types,
    cast,
    common_types,
    is_mixed,
    shared_names,
    types_of,
    with_cells,
)
from scgan.data.tables.table import Table

STREAM_ABOVE = 2**29
"""Bytes of parquet above which a table is streamed where nothing else is said."""

BATCH_ROWS = 2**17


def find_parts(source: str, stream: bool | None) -> tuple[str, ...]:
    """The files of a table that is to be streamed.

    Args:
        source: A path or ``s3://`` address.
        stream: What was asked for; None streams what is larger than :data:`STREAM_ABOVE`.

    Returns:
        Paths or addresses, in the order of their names; none where the table is to be read whole.

    Raises:
        ValueError: If it is to be streamed, but is no parquet.
    """
    if stream is False:
        return ()

    sizes = list_names(source) if source.startswith("s3://") else _sizes(local_path(source))
    seen = [name for name in sorted(sizes) if not is_hidden(name)]
    parts = {_root(source) + f"/{name}" * bool(name.parts): sizes[name] for name in seen}
    paths = [path for path in parts if kind_of(PurePosixPath(path)) == ".parquet"]

    if stream and not paths:
        check_lake(source, sizes)
        if not source.startswith("s3://"):
            table_files(local_path(source))  # a path that isn't there has its own error
        raise ValueError(
            f"{source}: only .parquet, or a folder of such files, can be streamed; convert it"
        )

    if not paths or not (stream or sum(map(parts.__getitem__, paths)) > STREAM_ABOVE):
        return ()

    check_lake(source, sizes)
    if not source.startswith("s3://"):
        check_above(source, local_path(source))

    # Images are decoded, which makes them larger than their files; they are never streamed.
    with on_disk(paths[0]) as first:
        if has_images(first):
            return ()

    if list(sizes) != [PurePosixPath()]:
        read = table_parts(source, list(sizes))
        tell_unread(source, sizes, read)
        tell_copies(source, [Path(path) for path in paths])
    return tuple(paths)


def _sizes(path: Path) -> dict[PurePosixPath, int]:
    """The files at a path or below it by their names, and their sizes in bytes."""
    if path.is_dir():
        return {PurePosixPath(f.relative_to(path)): f.lstat().st_size for f in walk(path)}
    return {PurePosixPath(): path.stat().st_size} if path.is_file() else {}


def _root(source: str) -> str:
    """What the paths of a source's files begin with."""
    return source.rstrip("/") if source.startswith("s3://") else str(local_path(source))


@dataclass(frozen=True)
class Parts:
    """Parquet files, how their rows are read, and what is drawn for each row.

    Attributes:
        paths: The files, on disk or ``s3://``.
        choice: Which columns are taken, by name, and what is done about missing values.
        cells: Of each file the columns that the names of its folders say.
        types: Of each column, as it is in all files.
        test_fraction: Share of the rows that no stage sees.
        seed: Of what is drawn.
    """

    paths: tuple[str, ...]
    choice: Choice
    cells: tuple[Mapping[str, Cell], ...]
    types: Types
    test_fraction: float
    seed: int

    @property
    def names(self) -> tuple[str, ...]:
        """Columns to model, in this order."""
        return self.choice.columns or ()

    @classmethod
    def open(
        cls, source: str, paths: Sequence[str], choice: Choice, test_fraction: float, seed: int
    ) -> Parts:
        """Find the columns and their types by the ends of all files.

        Raises:
            ValueError: If a file can't be read, or a column has no type that holds it in all.
        """
        with ThreadPoolExecutor(THREADS) as pool:
            footers = list(pool.map(_footer, paths))

        start = len(_root(source)) + 1
        cells = partitions(source, [PurePosixPath(path[start:]) for path in paths])
        footers = [_with_cells(footer, cell) for footer, cell in zip(footers, cells, strict=True)]
        both = list(zip(paths, footers, strict=True))
        for path, footer in both:
            check_names(path, (*footer.names, *footer.index))

        if choice.columns is None:
            choice = replace(choice, columns=_all_columns(source, both, choice.label))

        for name in choice.columns or ():
            if any(name in cell and cell[name].code is not None for cell in cells):
                tell_zeros(source, name)

        every = [(path, tuple(footer.types)) for path, footer in both]
        wanted = shared_names(source, every, choice.wanted)
        kinds = [(path, f.types if f.rows else dict.fromkeys(f.types)) for path, f in both]
        types = common_types(source, kinds, wanted)
        return cls(tuple(paths), choice, tuple(cells), types, test_fraction, seed)

    def batches(self, part: int) -> Iterator[tuple[Table, np.ndarray, np.ndarray]]:
        """Read a file.

        Args:
            part: Its place in ``paths``.

        Yields:
            A batch of checked rows, and two uniform numbers in [0, 1) a row, ``[N]`` each: the same
            for the same row of the same file, however it is read. Rows whose first number is below
            ``test_fraction`` are held out.

        Raises:
            ValueError: In one line, for whatever is wrong with the file.
        """
        rng = np.random.default_rng((self.seed, part))
        wanted = self.choice.wanted or ()

        with on_disk(self.paths[part]) as path:
            with arrow_errors(path):
                there = read_footer(path).types
            inside = [name for name in wanted if name in there] or list(there)[:1]

            for raw in parquet_batches(path, inside, BATCH_ROWS):
                raw = with_cells(str(path), raw, self.cells[part])
                columns = {n: cast(str(path), n, raw.columns[n], self.types[n]) for n in wanted}
                mixed = frozenset(is_mixed(types_of(raw), self.types))
                raw = replace(raw, names=wanted, columns=columns, mixed=mixed)
                table = checked(str(path), raw, self.choice, whole=False)
                place, deal = rng.random((table.num_rows, 2)).T
                yield table, place, deal


def _all_columns(
    source: str, parts: Sequence[tuple[str, Footer]], label: str | None
) -> tuple[str, ...]:
    """All columns but the label, and an index, which is said."""
    own = [(path, footer.names) for path, footer in parts]
    index = set(chain.from_iterable(footer.index for _, footer in parts))
    tell_index(source, sorted(index - {label}))
    return tuple(name for name in shared_names(source, own, None) if name != label)


def _footer(path: str) -> Footer:
    if not path.startswith("s3://"):
        with arrow_errors(Path(path)):
            return read_footer(Path(path))

    content = read_end(path)
    try:
        with arrow_errors(PurePosixPath("object")):
            return read_footer(io.BytesIO(content))
    except ValueError as error:
        raise ValueError(str(error).replace("object", path, 1)) from None


def _with_cells(footer: Footer, cells: Mapping[str, Cell]) -> Footer:
    """The columns of a file, and those that the names of its folders say."""
    types = dict(footer.types)
    for name, cell in cells.items():
        kind = {int: np.dtype(np.int64), str: np.dtype(object)}.get(type(cell.value))
        types.setdefault(name, kind)
    more = [name for name in cells if name not in footer.names]
    return replace(footer, names=(*footer.names, *more), types=types)

"""Modes of a known mixture that anybody's samples capture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from scgan.data.loading import check_is_path
from scgan.data.tables.reading import read_table
from scgan.data.tables.table import Table
from scgan.data.toy import TOYS
from scgan.metrics.modes import NUM_SAMPLES
from scgan.metrics.scores import Score, mode_scores

SPREAD, WEIGHT = "spread", "weight"  # columns of a mixture's table beside the centres'


class Mixture(NamedTuple):
    """Where the modes of a distribution are.

    Args:
        names: Of the columns, D.
        centres: ``[K, D]``.
        spreads: Standard deviation of each mode in every column, ``[K]``.
        weights: Of the modes, ``[K]``; None for equal ones.
    """

    names: tuple[str, ...]
    centres: Tensor
    spreads: Tensor
    weights: Tensor | None


def score_modes(
    samples: str, reference: str, *, num: int = NUM_SAMPLES, seed: int = 0
) -> tuple[dict[str, Score], int]:
    """Count the modes that samples capture, their high-quality share and the divergence.

    Args:
        samples: Path or ``s3://`` address of a table with the columns of the mixture.
        reference: A toy set with modes, or path or address of a table with a mode a row: its centre
            in the samples' columns, ``spread`` its standard deviation, ``weight`` where modes
            differ in it.
        num: Samples that are counted, drawn at random.
        seed: Of the draw.

    Returns:
        The scores, and how many samples were counted: all where there are fewer than ``num``.

    Raises:
        ValueError: In one line, if a table can't be read or has no such columns.

    Source: [VEEGAN] Sec. 4, where 2,500 samples are counted.
    """
    mixture = read_mixture(reference)
    rows = _matrix(read_table(samples, mixture.names))
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    counted = rows[order[:num]]
    scores = mode_scores(counted, mixture.centres, mixture.spreads, mixture.weights)
    return scores, len(counted)


def read_mixture(reference: str) -> Mixture:
    """A toy set's modes by its name, or a mixture from a table.

    Raises:
        ValueError: In one line, for a toy set without modes or a table that is no mixture.
    """
    if reference in TOYS:
        toy = TOYS[reference]
        centres, spreads = toy.modes(), toy.mode_std
        if centres is None or spreads is None:
            known = [name for name, other in TOYS.items() if other.modes() is not None]
            raise ValueError(
                f"{reference} has no modes to count; those that do: {', '.join(known)}"
            )
        return Mixture(("x0", "x1"), centres, spreads, toy.mode_weights)

    check_is_path(reference)
    table = read_table(reference)
    names = tuple(name for name in table.names if name not in (SPREAD, WEIGHT))
    if SPREAD not in table.names or not names:
        raise ValueError(
            f"{reference}: a mixture needs the columns of its centres and a column {SPREAD!r}, "
            f"found {', '.join(table.names)}"
        )

    weights = table.columns.get(WEIGHT)
    return Mixture(
        names,
        _matrix(Table(names, {name: table.columns[name] for name in names}, None, 0)),
        torch.from_numpy(table.columns[SPREAD].astype(np.float64)),
        None if weights is None else torch.from_numpy(weights.astype(np.float64)),
    )


def _matrix(table: Table) -> Tensor:
    """The columns beside each other, float64 ``[N, D]``."""
    columns = [table.columns[name].astype(np.float64) for name in table.names]
    return torch.from_numpy(np.stack(columns, axis=1))

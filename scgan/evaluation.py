"""Anybody's samples scored against a reference table, by the metrics that every run ends with."""

from __future__ import annotations

from collections.abc import Sequence

from scgan.data.dataset import split
from scgan.data.table import Missing, read_table
from scgan.metrics.scores import Score, score


def score_tables(
    samples: str,
    reference: str,
    seed: int,
    *,
    columns: Sequence[str] | None = None,
    label: str | None = None,
    missing: Missing = "error",
) -> dict[str, Score]:
    """Score a table of samples against a table of real rows.

    Half of the reference stands for the support (and gives the scale of each column), half is compared with.

    Args:
        samples: Path or s3:// address of the samples; the reference's columns are taken by name, others left out.
        reference: Path or s3:// address of real rows.
        seed: Of the split and the metrics.
        columns: Columns to compare; None for all of the reference but its label.
        label: A column of the reference that is no part of the data.
        missing: What to do with rows of either that hold NaN, infinity or no value.

    Returns:
        Scores beside their floors.

    Raises:
        ValueError: In one line, if a table can't be read, a column is missing in the samples, or rows are too few.
    """
    real = read_table(reference, columns, label, missing)
    made = read_table(samples, real.names, None, missing)
    data = split(reference, real, test_fraction=0.5, seed=seed)
    return score(data.schema.encode(made.columns), data.test, data.train, seed=seed)

"""Anybody's samples scored against a reference table, by the metrics that every run ends with."""

from __future__ import annotations

from scgan.config import suggest
from scgan.data.dataset import split
from scgan.data.table import read_table
from scgan.metrics.scores import Score, score


def score_tables(samples: str, reference: str, seed: int) -> dict[str, Score]:
    """Score a table of samples against a table of real rows.

    Half of the reference stands for the support (and gives the scale of each column), half is compared with.

    Args:
        samples: Path or s3:// address of the samples; the reference's columns are taken by name.
        reference: Path or s3:// address of real rows.
        seed: Of the split and the metrics.

    Returns:
        Scores beside their floors.

    Raises:
        ValueError: In one line, if a table can't be read or a column is missing in the samples.
    """
    real = read_table(reference)
    made = read_table(samples)
    absent = [name for name in real.names if name not in made.columns]
    if absent:
        raise ValueError(
            f"{samples}: has no column {absent[0]!r}, which {reference} has{suggest(absent[0], made.names)}"
        )
    data = split(reference, real, test_fraction=0.5, seed=seed)
    rows = data.schema.encode({name: made.columns[name] for name in real.names})
    return score(rows, data.test, data.train, seed=seed)

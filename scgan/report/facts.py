"""What a report says of the data: a sentence, the columns of a table, the attributes of images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scgan.data.dataset import Dataset
from scgan.data.images.schema import ImageSchema
from scgan.data.tables.column import Column
from scgan.data.tables.schema import Schema


def number(value: float | None) -> str:
    """A figure to four digits; a dash for none."""
    if value is None:
        return "–"
    if float(value).is_integer() and abs(value) < 1e12:
        return f"{int(value):,}"
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e9 else f"{value:.4g}"


def data_sentence(data: Dataset) -> str:
    """What the data is, in a few sentences."""
    told = [
        f"{data.name}: {data.num_train:,} {data.unit} for training and {data.num_test:,} held out"
    ]
    if isinstance(data.schema, Schema):
        told[0] += f", {len(data.schema.columns)} columns, {data.schema.dim} of them modelled."
    else:
        told[0] += f", {data.schema.summary}."

    if data.toy is not None:
        told.append("A toy distribution with known density, drawn anew for each part.")

    if data.dropped:
        why = (
            "rows with missing or infinite values"
            if data.kind == "table"
            else "images that can't be read"
        )

        told.append(f"{data.dropped:,} {why} were left out.")

    if data.train_labels is not None and data.kind == "table":
        told.append("Labels were kept out of training.")

    return " ".join(told)


def attribute_rows(data: Dataset) -> Iterator[dict[str, str]]:
    """How many images of each part have each attribute, a row of text each."""
    if (
        not isinstance(data.schema, ImageSchema)
        or data.train_labels is None
        or data.test_labels is None
    ):
        return

    for place, name in enumerate(data.schema.attributes):
        parts = (data.train_labels, data.test_labels)
        train, test = (
            int((part == place).sum() if part.ndim == 1 else part[:, place].sum()) for part in parts
        )

        yield {
            "name": name,
            "train": f"{train:,}",
            "test": f"{test:,}",
            "share": f"{train / len(data.train):.1%}",
        }


def column_rows(data: Dataset) -> Iterator[dict[str, str]]:
    """What each column of a table holds, a row of text each."""
    if isinstance(data.schema, Schema):
        yield from (_column_row(column) for column in data.schema.columns)


def _column_row(column: Column) -> dict[str, str]:
    constant = column.kind == "constant"
    row = {"name": column.name, "dtype": _type(column), "note": _note(column)}
    if column.categories is not None or column.gaps == 1:
        return row | dict.fromkeys(("low", "high", "mean", "scale"), "–")
    if column.is_time:
        ends = {"low": _time(column, column.low), "high": _time(column, column.high)}
        return row | ends | {"mean": _time(column, column.mean), "scale": "–"}

    return row | {
        "low": number(column.low),
        "high": number(column.high),
        "mean": number(column.low if constant else column.mean),
        "scale": "–" if constant else number(column.std),
    }


def _type(column: Column) -> str:
    zone = None if column.meaning is None else column.meaning.zone
    return column.dtype if zone is None else f"{column.dtype}, {zone}"


def _time(column: Column, value: float) -> str:
    """A time in its column's unit, in words."""
    told = np.array(round(value)).astype(column.dtype)
    if column.dtype.startswith("timedelta"):
        return str(told)
    return str(np.datetime_as_string(told)).replace("T", " ")


def _note(column: Column) -> str:
    if column.gaps == 1:
        return "never any value: none in samples"
    if column.kind == "constant":
        only = "" if column.categories is None else f" ({column.categories[0]})"
        return f"constant{only}: set in samples, not modelled"
    if column.kind == "duplicate":
        return f"equal to {column.source}: copied in samples, not modelled"

    if column.kind == "derived":
        return f"computed as {column.relation}, not modelled"

    what = "" if column.rest is None else f"what {column.relation} leaves of it "
    why = "" if column.gain is None else f", which saves {column.gain:.2f} nats a row"
    scale = "by its ranks" if column.scale == "ranks" else "on its own scale"
    grid = "" if column.decimals is None else f"; {column.decimals} decimals"
    if column.digits is not None and not grid:
        grid = f"; {column.digits} significant digits"
    kinds = "" if column.categories is None else f"; {len(column.categories)} categories"
    gaps = "" if column.gaps is None else f"; missing in {100 * column.gaps:.3g} % of the rows"
    return f"modelled {what}{scale}{why}{grid}{kinds}{gaps}"

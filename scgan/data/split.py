"""The split of rows or images: into those to train on, those to score, and those no stage sees."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from scgan.data.dataset import DATA_VERSION, Dataset
from scgan.data.fingerprint import fingerprint
from scgan.data.images.reading import ImageSet
from scgan.data.tables.scales import Scaling
from scgan.data.tables.schema import Schema
from scgan.data.tables.table import Table

MIN_PART = 2  # rows or images of a part: one alone has no spread
MIN_VALIDATION_PART = 20  # of fewer rows, scores are noise
AUTO = Scaling()
SPREADING = 7  # keeps these numbers apart from the split's of the same seed


def split(
    name: str, table: Table, test_fraction: float, seed: int, scaling: Scaling = AUTO
) -> Dataset:
    """Split a table at random and scale its columns by its training part.

    Args:
        name: For logs.
        table: The rows.
        test_fraction: Share of the test part, in (0, 1).
        seed: Seed of the permutation, and of what is spread, at least 0.
        scaling: The columns' scales.

    Returns:
        The rows.

    Raises:
        ValueError: If a part has fewer than two rows, all columns are constant, or a scale is for
            none of them.
    """
    num_test = round(test_fraction * table.num_rows)
    num_train = table.num_rows - num_test
    if min(num_train, num_test) < MIN_PART:
        raise ValueError(
            f"{name}: {table.num_rows} rows give {num_train} to train, {num_test} to test; each "
            f"needs at least {MIN_PART}: give more rows, or another --data.test_fraction"
        )

    order = np.random.default_rng(seed).permutation(table.num_rows)
    train, test = table.take(order[num_test:]), table.take(order[:num_test])
    schema = Schema.fit(train.columns, table.meanings).knowing(test.columns).learnable(name)
    schema = schema.adapted(train.columns, scaling, seed)

    return Dataset(
        name=name,
        train=schema.encode(train.columns, spreading(seed)),
        test=schema.encode(test.columns),
        schema=schema,
        train_labels=train.labels,
        test_labels=test.labels,
        toy=None,
        fingerprint=_of_table(table, test_fraction, seed, scaling),
        dropped=table.dropped,
    )


def whole(name: str, table: Table, scaling: Scaling = AUTO) -> Dataset:
    """Scale the columns of a table of which every row is trained on: nothing is held out.

    Args:
        name: For logs.
        table: The rows.
        scaling: The columns' scales.

    Returns:
        The rows, an empty test part beside them.

    Raises:
        ValueError: If there are fewer than two rows, or all columns are constant.
    """
    if table.num_rows < MIN_PART:
        raise ValueError(
            f"{name}: {table.num_rows} rows can't be learned from; give at least {MIN_PART}"
        )

    schema = Schema.fit(table.columns, table.meanings).learnable(name)
    schema = schema.adapted(table.columns, scaling, seed=0)
    train = schema.encode(table.columns, spreading(seed=0))

    return Dataset(
        name=name,
        train=train,
        test=train[:0],
        schema=schema,
        train_labels=table.labels,
        test_labels=None if table.labels is None else table.labels[:0],
        toy=None,
        fingerprint=_of_table(table, test_fraction=0.0, seed=0, scaling=scaling),
        dropped=table.dropped,
    )


def split_images(name: str, images: ImageSet, test_fraction: float, seed: int) -> Dataset:
    """Hold out the source's own test part, or a random one where it has none.

    Args:
        name: For logs.
        images: The images.
        test_fraction: Share of a random test part, in (0, 1).
        seed: Seed of its permutation, at least 0.

    Returns:
        The images.

    Raises:
        ValueError: If a part has fewer than two images.
    """
    train, labels = images.train, images.train_labels
    test, test_labels = images.test, images.test_labels

    if test is None:
        num_test = round(test_fraction * len(train))
        order = np.random.default_rng(seed).permutation(len(train))
        test, train = train[order[:num_test]], train[order[num_test:]]
        if labels is not None:
            test_labels, labels = labels[order[:num_test]], labels[order[num_test:]]

    if min(len(train), len(test)) < MIN_PART:
        raise ValueError(
            f"{name}: {len(train)} images to train, {len(test)} to test; each needs at least "
            f"{MIN_PART}: give more images, or another --data.test_fraction"
        )

    return Dataset(
        name=name,
        train=torch.from_numpy(np.ascontiguousarray(train)),
        test=torch.from_numpy(np.ascontiguousarray(test)),
        schema=images.schema,
        train_labels=labels,
        test_labels=test_labels,
        toy=None,
        fingerprint=fingerprint(
            ("images", DATA_VERSION, images.schema), (train, labels, test, test_labels)
        ),
        dropped=images.dropped,
    )


def check_classes(data: Dataset) -> None:
    """Refuse images of a class that none of those to train on has, for whoever learns the classes.

    Raises:
        ValueError: In one line, with the class's name.
    """
    train, test, names = data.train_labels, data.test_labels, data.image_schema.attributes
    if train is None or train.ndim != 1:
        return

    there = np.bincount(train, minlength=len(names))
    if (there > 0).all():
        return

    place = int(np.argmin(there))
    num = 0 if test is None else int((test == place).sum())
    rest = [name for k, name in enumerate(names) if there[k]]
    advice = f": --data.attributes {','.join(rest)}" if len(rest) < 12 else ""
    raise ValueError(
        f"{data.name}: the class {names[place]!r} has no image to train on ({num} to test); give "
        f"more of it, or leave it out{advice}"
    )


def validation_split(data: Dataset, share: float, seed: int) -> Dataset:
    """Hold a part of the training rows out for scoring trials; the test rows are out of reach.

    Args:
        data: The rows.
        share: Of the training rows that is held out, in (0, 1).
        seed: Of the permutation.

    Returns:
        The remaining training rows, with the held-out ones in the place of the test rows and
        encoded as these are. Standardisation is that of all training rows.

    Raises:
        ValueError: If a part has fewer than 20 rows, or the data is streamed.
    """
    if data.stream is not None:
        raise ValueError(
            f"{data.name} is larger than memory, and a search is not: give --data.stream false or "
            "fewer rows"
        )

    total = len(data.train)
    num = round(share * total)
    if min(num, total - num) < MIN_VALIDATION_PART:
        raise ValueError(
            f"--validation {share:g} of {total} training rows leaves {total - num} to train on and "
            f"{num} to score; each needs at least {MIN_VALIDATION_PART}"
        )

    order = torch.randperm(total, generator=torch.Generator().manual_seed(seed))
    held_out, rest = order[:num], order[num:]
    labels, test = data.train_labels, data.train[held_out]
    if isinstance(data.schema, Schema):  # values that rows share are not spread in a test part
        test = data.schema.encode(data.schema.decode(test))

    return dataclasses.replace(
        data,
        train=data.train[rest],
        test=test,
        train_labels=None if labels is None else labels[rest.numpy()],
        test_labels=None if labels is None else labels[held_out.numpy()],
        fingerprint=fingerprint(("validation", data.fingerprint, share, seed), ()),
    )


def spreading(seed: int, part: int = 0) -> np.random.Generator:
    """Spreads the shared values of the training rows, of a part of a streamed table."""
    return np.random.default_rng((seed, SPREADING, part))


def _of_table(table: Table, test_fraction: float, seed: int, scaling: Scaling) -> str:
    meanings = dict(table.meanings)
    drawn = ("table", DATA_VERSION, table.names, test_fraction, seed, scaling, meanings)
    return fingerprint(drawn, (*table.columns.values(), table.labels))

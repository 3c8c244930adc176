"""Labels of which some are missing: what they are, and which rows are taken to be labelled."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scgan.data.dataset import Dataset

MOST_CLASSES = 100  # different labels above which they are no classes
UNLABELLED = ("", "-1", "-1.0")
"""Labels that stand for none: an empty text, and scikit-learn's -1."""


@dataclass(frozen=True)
class Labels:
    """One label a row or image, as numbers.

    Attributes:
        names: Of the labels, those that stand for none apart; C of them, in ascending order.
        train: Place of each training row's label in ``names``, ``[N]``; -1 for none.
        test: The same of the test part, ``[M]``.
    """

    names: tuple[str, ...]
    train: Tensor
    test: Tensor


def one_each(labels: np.ndarray | None) -> np.ndarray | None:
    """Labels ``[N]`` of rows or images that have one each.

    Args:
        labels: ``[N]``, or 0 and 1 of attributes, ``[N, A]``.

    Returns:
        Of a single attribute its column; None of several, and where there are no labels.
    """
    if labels is None or labels.ndim == 1:
        return labels
    column: np.ndarray = labels[:, 0]
    return column if labels.shape[1] == 1 else None


def read_labels(data: Dataset) -> Labels | None:
    """The labels of data that has one a row or image; of an attribute, without it and with it.

    Returns:
        The labels, numbered as they are met in the training part; None where there are none, or
        images have several attributes each.
    """
    train, test = one_each(data.train_labels), one_each(data.test_labels)
    if train is None or test is None:
        return None

    if data.train_labels is not train:  # a single attribute's
        (name,) = data.image_schema.attributes
        with_it, held_out = (torch.from_numpy(labels).long() for labels in (train, test))
        return Labels((f"no {name}", name), with_it, held_out)

    if data.kind == "images":
        values = list(data.image_schema.attributes)
        known = np.arange(len(values))
    else:
        known = np.unique(train)
        values = list(map(str, known.tolist()))

    names = tuple(value for value in values if value not in UNLABELLED)
    places = {name: place for place, name in enumerate(names)}
    number = torch.tensor([places.get(value, -1) for value in values] or [-1])
    return Labels(names, _numbered(train, known, number), _numbered(test, known, number))


def _numbered(labels: np.ndarray, known: np.ndarray, number: Tensor) -> Tensor:
    """Places of the labels' names; -1 for a label that is not among those known."""
    place = np.searchsorted(known, labels).clip(max=len(known) - 1)
    found = torch.from_numpy(known[place] == labels)
    return torch.where(found, number[torch.from_numpy(place)], -1)


def known_labels(labels: np.ndarray) -> np.ndarray:
    """The different labels, in ascending order, those that stand for none apart."""
    values = np.unique(labels)
    return values[~np.isin(values.astype(str), UNLABELLED)]


def num_classes(data: Dataset) -> int | None:
    """Labels that data has, none counted apart; None for fewer than 2, or more than classes are."""
    labels = read_labels(data)
    found = 0 if labels is None else len(labels.names)
    return found if 2 <= found <= MOST_CLASSES else None


def some_of_each(y: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Choose labelled rows at random: a share of each label's, one at least.

    Args:
        y: Labels, ``[N]``; -1 for none.
        share: Of the rows of a label, in [0, 1]; 0 chooses none at all.
        generator: Draws the rows.

    Returns:
        The rows' numbers, in ascending order.
    """
    if share == 0:
        return torch.empty(0, dtype=torch.long)

    chosen = []
    for label in y[y >= 0].unique():
        rows = (y == label).nonzero()[:, 0]
        order = torch.randperm(len(rows), generator=generator)
        chosen.append(rows[order[: math.ceil(share * len(rows))]])
    return torch.cat(chosen).sort().values if chosen else torch.empty(0, dtype=torch.long)

"""Labels of which some are missing, and the rows that are taken to be labelled."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from scgan.data.labels import num_classes, one_each, read_labels, some_of_each


def table(train, test):
    return SimpleNamespace(
        train_labels=np.array(train), test_labels=np.array(test), kind="table", image_schema=None
    )


def pictures(train, test, names):
    schema = SimpleNamespace(attributes=names)
    labels = {"train_labels": np.array(train), "test_labels": np.array(test)}
    return SimpleNamespace(**labels, kind="images", image_schema=schema)


@pytest.mark.parametrize(
    ("train", "test", "names"),
    [
        (["b", "", "a", "b"], ["a", "b", ""], ("a", "b")),
        ([7, -1, 3, 7], [3, 7, -1], ("3", "7")),
        ([7.0, -1.0, 3.0, 7.0], [3.0, 7.0, -1.0], ("3.0", "7.0")),
    ],
)
def test_labels_are_numbered_in_order_and_none_is_minus_one(train, test, names):
    labels = read_labels(table(train, test))
    assert labels.names == names
    assert labels.train.tolist() == [1, -1, 0, 1] and labels.test.tolist() == [0, 1, -1]


def test_a_label_that_training_never_saw_is_none():
    labels = read_labels(table(["a", "c"], ["b", "d", "c", "a"]))
    assert labels.test.tolist() == [-1, -1, 1, 0]


def test_classes_of_images_have_their_names_and_one_may_stand_for_none():
    labels = read_labels(pictures([0, 2, 1], [2, 0, 1], ("-1", "cat", "dog")))
    assert labels.names == ("cat", "dog")
    assert labels.train.tolist() == [-1, 1, 0] and labels.test.tolist() == [1, -1, 0]


def test_an_attribute_is_two_classes_without_it_and_with_it():
    data = pictures([[0], [1], [1]], [[1], [0]], ("Smiling",))
    labels = read_labels(data)
    assert labels.names == ("no Smiling", "Smiling") and num_classes(data) == 2
    assert labels.train.tolist() == [0, 1, 1] and labels.test.tolist() == [1, 0]
    assert labels.train.dtype == labels.test.dtype == torch.long


def test_attributes_and_unlabelled_data_have_no_labels():
    assert read_labels(pictures([[0, 1]], [[1, 1]], ("bald", "smiling"))) is None
    none = SimpleNamespace(train_labels=None, test_labels=None, kind="table")
    assert read_labels(none) is None


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_share_of_each_labels_rows_is_chosen_and_none_without_a_label():
    y = torch.tensor([0] * 100 + [1] * 10 + [2] * 3 + [-1] * 500)
    rows = some_of_each(y, 0.05, generator())
    assert torch.bincount(y[rows]).tolist() == [5, 1, 1]
    assert torch.equal(rows, rows.unique())
    assert torch.equal(rows, some_of_each(y, 0.05, generator()))
    assert not torch.equal(rows, some_of_each(y, 0.05, generator(1)))


def test_all_that_have_a_label_or_no_row_at_all():
    y = torch.tensor([1, -1, 0, -1, 1])
    assert some_of_each(y, 1.0, generator()).tolist() == [0, 2, 4]
    assert some_of_each(y, 0.0, generator()).tolist() == []
    assert some_of_each(torch.full((4,), -1), 1.0, generator()).tolist() == []


def test_classes_are_2_to_100_labels():
    for num, expected in ((1, None), (2, 2), (100, 100), (101, None)):
        values = [f"label {i}" for i in range(num)] + [""]
        assert num_classes(table(values, values)) == expected
    assert num_classes(SimpleNamespace(train_labels=None, test_labels=None)) is None


def test_labels_are_one_each_or_a_single_attributes_column():
    assert one_each(None) is None
    assert one_each(np.array([[0, 1], [1, 1]])) is None
    assert one_each(np.array(["a", "b"])).tolist() == ["a", "b"]
    assert one_each(np.array([[0], [1], [1]])).tolist() == [0, 1, 1]

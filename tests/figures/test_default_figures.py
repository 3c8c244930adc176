"""What is drawn of any system: the classes that pictures of images tell apart."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from scgan.figures.default_figures import _classes


def pictures(labels, names):
    both = None if labels is None else np.array(labels)
    schema = SimpleNamespace(attributes=names)
    return SimpleNamespace(train_labels=both, test_labels=both, kind="images", image_schema=schema)


@pytest.mark.parametrize(
    ("labels", "attributes", "y", "names"),
    [
        (None, (), [0, 0], ("images",)),
        ([[0, 1], [1, 0], [1, 1]], ("bald", "old"), [0, 0], ("images",)),
        ([1, 0, 1], ("cat", "dog"), [1, 0], ("cat", "dog")),
        ([[1], [0], [1]], ("bald",), [1, 0], ("no bald", "bald")),
        ([0, 1, 0], ("-1", "dog"), [1, 0], ("dog", "no label")),
    ],
)
def test_classes_have_their_names_and_no_label_is_one(labels, attributes, y, names):
    found, told = _classes(pictures(labels, attributes), 2)
    assert found.tolist() == y and told == names

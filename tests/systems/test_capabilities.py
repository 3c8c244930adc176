"""What can be chosen of a model, and the table of its clusters."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from scgan.capabilities import (
    Coefficients,
    Degrees,
    OneOf,
    WholeNumber,
    choose,
    cluster_probabilities,
    cluster_table,
)


def test_what_is_not_given_is_left_out_and_texts_are_read():
    options = (WholeNumber("cluster", "of one", 3), OneOf("latent", "from", ("real", "mapping")))
    model = SimpleNamespace(options=options)
    assert choose(model, {"cluster": None, "latent": None}) == {}
    assert choose(model, {"cluster": "2", "latent": None}) == {"cluster": 2}
    assert choose(model, {"cluster": 0, "latent": "real"}) == {"cluster": 0, "latent": "real"}
    with pytest.raises(ValueError, match="no attribute to choose; it has cluster, latent"):
        choose(model, {"attribute": "x"})
    with pytest.raises(ValueError, match="cluster is 3"):
        choose(model, {"cluster": "3"})


def test_degrees_go_to_the_names_they_are_given_for():
    option = Degrees("attributes", "how much", ("a", "b", "c"))
    assert option.read("c=0.25,a=1").tolist() == [1, 0, 0.25]
    assert option.read({"b": 0.5}).tolist() == [0, 0.5, 0]


def test_coefficients_that_are_not_given_are_drawn():
    option = Coefficients("coefficients", "noise", ("1.1", "1.2"))
    read = option.read("1.2=-2.5")
    assert read[0].isnan() and read[1] == -2.5
    assert option.allowed == "NAME=COEFFICIENT,... of 1.1, 1.2; coefficients -4 to 4"
    for text in ("1.1=4.5", "1.1=nan"):
        with pytest.raises(ValueError, match="is out of range; coefficients are -4 to 4"):
            option.read(text)
    with pytest.raises(ValueError, match="unknown dimension '3.1'"):
        option.read("3.1=0")


def test_clusters_are_a_row_each_with_their_shares():
    class Clustered:
        counts = torch.tensor([30, 10])
        cluster_columns = {"spread": torch.tensor([0.5, 0.25]).tolist()}

        def assign(self, x):
            return x

    assert cluster_table(Clustered()) == {
        "cluster": [0, 1],
        "rows": [30, 10],
        "weight": [0.75, 0.25],
        "spread": [0.5, 0.25],
    }
    assert cluster_table(object()) == {}


def test_a_clustering_that_does_not_say_how_sure_it_is_is_sure():
    class Hard:
        counts, cluster_columns = torch.ones(3), {}

        def assign(self, x):
            return x

    class Soft(Hard):
        def probabilities(self, x):
            return torch.full((len(x), 3), 1 / 3)

    assert cluster_probabilities(Hard(), torch.tensor([1, 0])).tolist() == [[0, 1, 0], [1, 0, 0]]
    assert torch.equal(cluster_probabilities(Soft(), torch.zeros(4)), torch.full((4, 3), 1 / 3))


def test_a_clusters_weight_is_the_models_where_it_is_not_its_rows():
    class Even:
        counts, cluster_columns = torch.tensor([3, 1]), {"weight": [0.5, 0.5]}

        def assign(self, x):
            return x

    table = cluster_table(Even())
    assert table["weight"] == [0.5, 0.5] and table["rows"] == [3, 1]

"""K-means: known clusters are found; small, empty and duplicate ones are handled."""

from __future__ import annotations

import math

import pytest
import sklearn.cluster
import torch
from torch.testing import assert_close

from scgan.clustering.in_memory import fit_clusters, nearest_centre, soft_clusters

OPTIONS = {"min_rows": 4, "max_iter": 50, "mini_batch_above": 10_000, "seed": 0}


def blobs(counts, generator):
    centres = torch.tensor([[10.0 * i, -5.0 * i] for i in range(len(counts))])
    k = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    return centres[k] + 0.1 * torch.randn(len(k), 2, generator=generator), k


@pytest.mark.parametrize("mini_batch_above", [10, 10_000])
def test_separate_blobs_are_found(mini_batch_above):
    eps, k = blobs([200, 300, 100], torch.Generator().manual_seed(0))
    found = fit_clusters(eps, 3, **{**OPTIONS, "mini_batch_above": mini_batch_above})
    assert sorted(found.counts.tolist()) == [100, 200, 300]

    for cluster in range(3):
        rows = eps[found.k == cluster]
        assert len(k[found.k == cluster].unique()) == 1
        assert_close(found.centres[cluster], rows.mean(0), rtol=0, atol=0.02)
        assert_close(found.spread[cluster], (rows - found.centres[cluster]).square().mean().sqrt())

    assert torch.equal(found.k, torch.cdist(eps, found.centres).argmin(1))


def test_same_seed_same_clusters():
    eps = torch.randn(500, 3, generator=torch.Generator().manual_seed(1))
    first, second = (fit_clusters(eps, 8, **OPTIONS) for _ in range(2))
    assert torch.equal(first.k, second.k) and torch.equal(first.centres, second.centres)


def test_a_cluster_with_too_few_rows_is_dissolved_into_the_nearest():
    eps, _ = blobs([100, 100, 2], torch.Generator().manual_seed(2))
    found = fit_clusters(eps, 3, **OPTIONS)
    assert found.dissolved == 1 and len(found.counts) == 2
    assert sorted(found.counts.tolist()) == [100, 102]
    assert int(found.k[-1]) == int(found.k[150])


def test_fewer_distinct_codes_than_clusters_leave_no_empty_cluster():
    eps = torch.tensor([[0.0, 0.0], [1.0, 1.0]]).repeat(10, 1)
    found = fit_clusters(eps, 5, **OPTIONS)
    assert sorted(found.counts.tolist()) == [10, 10]


def test_more_clusters_than_rows_and_all_too_small_leave_one():
    eps = torch.randn(3, 2, generator=torch.Generator().manual_seed(3))
    found = fit_clusters(eps, 10, **OPTIONS)
    assert found.counts.tolist() == [3]


def test_a_cluster_of_just_min_rows_stays():
    eps, _ = blobs([100, 4, 3], torch.Generator().manual_seed(4))
    found = fit_clusters(eps, 3, **OPTIONS)
    assert found.dissolved == 1 and sorted(found.counts.tolist()) == [7, 100]


@pytest.mark.parametrize(("above", "name"), [(99, "MiniBatchKMeans"), (100, "KMeans")])
def test_k_means_gets_the_settings_and_batches_above_a_number_of_rows(monkeypatch, above, name):
    calls, made = [], getattr(sklearn.cluster, name)

    def recorded(**how):
        calls.append(how)
        return made(**how)

    monkeypatch.setattr(sklearn.cluster, name, recorded)
    eps = torch.randn(100, 2, generator=torch.Generator().manual_seed(5))
    how = {"min_rows": 1, "max_iter": 7, "mini_batch_above": above, "seed": 11, "num_starts": 3}
    fit_clusters(eps, 4, **how)
    (given,) = calls
    assert given.pop("batch_size", 4096) == 4096
    assert given == {"n_clusters": 4, "n_init": 3, "max_iter": 7, "random_state": 11}


def test_codes_go_to_the_nearest_centre():
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    eps = centres[[2, 0, 1]] + 1
    assert nearest_centre(eps.repeat(5000, 1), centres).tolist() == [2, 0, 1] * 5000


def test_the_rows_of_each_dissolved_cluster_go_to_the_nearest_of_the_others():
    eps = torch.tensor([0.0] * 50 + [10.0] * 50 + [3.0] * 2 + [7.0] * 2)[:, None]
    found = fit_clusters(eps, 4, **OPTIONS)
    assert found.dissolved == 2 and found.counts.tolist() == [52, 52]
    low, high = int(found.k[0]), int(found.k[50])
    assert low != high and found.k[100:].tolist() == [low, low, high, high]


def test_soft_clusters_are_equal_gaussians_of_the_pooled_width():
    random = torch.Generator().manual_seed(1)
    eps, centres = torch.randn(20, 3, generator=random), torch.randn(4, 3, generator=random)
    counts, spread = torch.tensor([10, 1, 5, 4]), torch.tensor([0.5, 3.0, 1.0, 0.2])
    variance = sum(n * s**2 for n, s in zip(counts.tolist(), spread.tolist(), strict=True)) / 20
    found = soft_clusters(eps, centres, counts, spread)
    for row in range(20):
        terms = [math.exp(-(eps[row] - c).square().sum().item() / (2 * variance)) for c in centres]
        assert found[row].tolist() == pytest.approx([t / sum(terms) for t in terms], rel=1e-4)
    assert torch.equal(found.argmax(1), nearest_centre(eps, centres))


def test_soft_clusters_of_points_are_sure():
    centres = torch.tensor([[0.0], [1.0]])
    found = soft_clusters(torch.tensor([[0.2], [0.9]]), centres, torch.ones(2), torch.zeros(2))
    assert found.tolist() == [[1, 0], [0, 1]]

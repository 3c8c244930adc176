"""K-means: known clusters are found; small, empty and duplicate ones are handled."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from scgan.clustering.in_memory import fit_clusters

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

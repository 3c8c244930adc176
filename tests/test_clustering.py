"""K-means: known clusters are found; small, empty and duplicate ones are handled."""

from __future__ import annotations

import pytest
import torch
from sklearn.cluster import MiniBatchKMeans
from torch.testing import assert_close

from scgan.clustering import fit_clusters, fit_partition

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


def partition_of(eps, pieces, num_clusters, **options):
    """The partition of codes that come in pieces of the given sizes."""
    shards = eps.split(pieces)
    how = {"min_rows": 4, "max_passes": 30, "seed": 0, **options}
    return fit_partition(lambda: iter(shards), num_clusters, num_rows=len(eps), **how)


def test_codes_that_come_in_pieces_are_clustered_as_scikit_learn_does_batch_by_batch():
    eps = torch.randn(20_000, 3, generator=torch.Generator().manual_seed(4))
    found = partition_of(eps, [7001, 1, 0, 9000, 3998], 8, max_passes=2)
    kmeans = MiniBatchKMeans(8, batch_size=4096, random_state=0, n_init=1)
    for _ in range(2):
        for batch in eps.double().split(4096):
            kmeans.partial_fit(batch.numpy())
    assert_close(found.centres, torch.from_numpy(kmeans.cluster_centers_).float())
    k = torch.cdist(eps, found.centres).argmin(1)
    assert torch.equal(found.counts, torch.bincount(k))
    for cluster in range(8):
        rows = eps[k == cluster]
        assert_close(found.spread[cluster], (rows - found.centres[cluster]).square().mean().sqrt())


def test_pieces_find_separate_blobs():
    eps, _ = blobs([2000, 3000, 1000], torch.Generator().manual_seed(0))
    eps = eps[torch.randperm(len(eps), generator=torch.Generator().manual_seed(1))]
    found = partition_of(eps, 1000, 3, max_passes=5)
    assert sorted(found.counts.tolist()) == [1000, 2000, 3000] and found.dissolved == 0


def test_pieces_with_fewer_distinct_codes_than_clusters_leave_no_empty_cluster():
    eps = torch.tensor([[0.0, 0.0], [1.0, 1.0]]).repeat(500, 1)
    found = partition_of(eps, 300, 5)
    assert found.counts.tolist() == [500, 500] and found.dissolved == 3
    assert_close(found.spread, torch.zeros(2))


def test_pieces_are_read_once_for_k_means_where_they_are_many():
    eps, passes = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0)), []

    def codes():
        passes.append(None)
        return iter([eps] * 820)

    fit_partition(codes, 4, num_rows=820_000, min_rows=4, max_passes=30, seed=0)
    assert len(passes) == 2  # and once to count

"""K-means on codes that come file by file: Sculley's update, and a killed fit goes on."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
import sklearn.cluster
import torch
from torch.testing import assert_close

from scgan.clustering.in_memory import fit_clusters
from scgan.clustering.streamed import fit_partition, move_centres, replace_tiny
from scgan.store.artifacts import Artifact
from scgan.training.runtime import Runtime


def partition_of(eps, pieces, num_clusters, **options):
    """The partition of codes that come in pieces of the given sizes."""
    files = eps.split(pieces)
    how = {"min_rows": 4, "max_passes": 30, "seed": 0, "runtime": Runtime(), **options}
    return fit_partition(
        lambda number: files[number], [len(rows) for rows in files], num_clusters, **how
    )


def moved_row_by_row(centres, counts, batch):
    """Algorithm 1 of the paper as it stands: all nearest centres first, then a row at a time."""
    centres, counts = [list(row) for row in centres], list(counts)
    nearest = []
    for x in batch:
        distances = [sum((a - b) ** 2 for a, b in zip(x, c, strict=True)) for c in centres]
        nearest.append(distances.index(min(distances)))

    for x, k in zip(batch, nearest, strict=True):
        counts[k] += 1
        rate = 1 / counts[k]
        centres[k] = [(1 - rate) * c + rate * a for c, a in zip(centres[k], x, strict=True)]

    return centres, counts


def test_centres_move_as_in_the_papers_algorithm():
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(5, 3, generator=generator, dtype=torch.float64)
    counts = torch.tensor([0, 3, 0, 100, 7])  # two that nothing has moved yet
    centres[2] = 50.0  # and nothing will
    expected = centres.tolist(), counts.tolist()

    for _ in range(3):
        batch = torch.randn(40, 3, generator=generator, dtype=torch.float64)
        expected = moved_row_by_row(*expected, batch.tolist())
        move_centres(centres, counts, batch)

        assert_close(centres, torch.tensor(expected[0], dtype=torch.float64))
        assert counts.tolist() == expected[1]

    assert counts[2] == 0 and centres[2].tolist() == [50.0] * 3


def test_a_centre_is_the_mean_of_the_rows_that_moved_it():
    """One centre is nearest to all: whatever it began as, it is their mean."""
    eps = torch.randn(300, 2, generator=torch.Generator().manual_seed(0)).double()
    centres, counts = torch.full((1, 2), 9.0, dtype=torch.float64), torch.tensor([0])
    for batch in eps.split([1, 99, 200]):
        move_centres(centres, counts, batch)
    assert_close(centres[0], eps.mean(0))


def test_tiny_centres_are_put_on_rows_of_the_batch():
    centres = torch.arange(8.0).reshape(4, 2)
    counts, batch = torch.tensor([1000, 9, 10, 0]), 100 + torch.arange(20.0).reshape(10, 2)
    kept = centres[[0, 2]].clone()
    replace_tiny(centres, counts, batch, np.random.default_rng(0))
    assert counts.tolist() == [1000, 10, 10, 10] and torch.equal(centres[[0, 2]], kept)

    rows = {tuple(row) for row in batch.tolist()}
    first, second = (tuple(centres[i].tolist()) for i in (1, 3))
    assert first in rows and second in rows and first != second


def test_no_more_than_half_of_a_batch_is_used_for_the_smallest():
    centres, counts = torch.zeros(4, 1), torch.tensor([3, 1000, 2, 1])
    replace_tiny(centres, counts, torch.ones(4, 1), np.random.default_rng(0))
    assert centres.flatten().tolist() == [0, 0, 1, 1] and counts.tolist() == [3, 1000, 1000, 1000]
    replace_tiny(centres, counts, torch.full((1, 1), 2.0), np.random.default_rng(0))
    assert centres.flatten().tolist() == [0, 0, 1, 1]


def blobs(num_rows, weights, generator):
    """Codes around random centres, whose shares of the rows are as the weights."""
    k = torch.multinomial(torch.tensor(weights), num_rows, True, generator=generator)
    centres = 8 * torch.randn(len(weights), 4, generator=generator)
    return centres[k] + torch.randn(num_rows, 4, generator=generator)


def test_counts_and_spread_are_those_of_the_nearest_centres():
    eps = torch.randn(20_000, 3, generator=torch.Generator().manual_seed(4))
    found = partition_of(eps, [7001, 1, 0, 9000, 3998], 8, max_passes=2)
    k = torch.cdist(eps, found.centres).argmin(1)
    assert torch.equal(found.counts, torch.bincount(k))
    for cluster in range(8):
        rows = eps[k == cluster]
        assert_close(found.spread[cluster], (rows - found.centres[cluster]).square().mean().sqrt())


def inertia(eps, centres):
    return float(torch.cdist(eps, centres).min(1).values.square().mean())


@pytest.mark.parametrize("seed", range(4))
def test_as_tight_as_in_memory(seed):
    """Blobs of unequal weights, more clusters than blobs; measured .992 to 1.017 over six seeds."""
    weights = [float(i) ** 1.5 for i in range(1, 25)]
    eps = blobs(20_000, weights, torch.Generator().manual_seed(seed))
    whole = fit_clusters(eps, 64, min_rows=4, max_iter=100, mini_batch_above=100_000, seed=seed)
    pieces = partition_of(eps, 7001, 64, seed=seed)
    assert inertia(eps, pieces.centres) < 1.04 * inertia(eps, whole.centres)


def test_pieces_find_separate_blobs():
    generator = torch.Generator().manual_seed(0)
    centres = torch.tensor([[0.0, 0.0], [10.0, -5.0], [20.0, -10.0]])
    k = torch.arange(3).repeat_interleave(torch.tensor([2000, 3000, 1000]))[
        torch.randperm(6000, generator=generator)
    ]
    eps = centres[k] + 0.1 * torch.randn(6000, 2, generator=generator)
    found = partition_of(eps, 1000, 3, max_passes=5)
    assert sorted(found.counts.tolist()) == [1000, 2000, 3000] and found.dissolved == 0


def test_pieces_with_fewer_distinct_codes_than_clusters_leave_no_empty_cluster():
    eps = torch.tensor([[0.0, 0.0], [1.0, 1.0]]).repeat(500, 1)
    found = partition_of(eps, 300, 5)
    assert found.counts.tolist() == [500, 500] and found.dissolved == 3
    assert_close(found.spread, torch.zeros(2))


def test_pieces_are_read_once_for_k_means_where_they_are_many():
    eps, read = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0)), []

    def codes(number):
        read.append(number)
        return eps

    fit_partition(codes, [1000] * 820, 4, min_rows=4, max_passes=30, seed=0, runtime=Runtime())
    start = list(range(5))  # a mini-batch's rows, to begin with
    assert read == start + 2 * list(range(820))  # once to learn, and once to count


def test_centres_that_the_start_wastes_on_outliers_are_put_elsewhere_by_the_seed():
    eps = torch.randn(9000, 2, generator=torch.Generator().manual_seed(0))
    eps[:3] = torch.tensor([[1e3, 0.0], [0.0, 1e3], [-1e3, 0.0]])
    first, second = (partition_of(eps, 5000, 6, max_passes=1) for _ in range(2))
    assert first.dissolved == 0 and torch.equal(first.centres, second.centres)


def test_a_cluster_of_just_min_rows_stays_and_the_largest_is_what_remains():
    eps = torch.tensor([[0.0]] * 3 + [[10.0]] * 5)
    assert sorted(partition_of(eps, 8, 2, min_rows=3).counts.tolist()) == [3, 5]
    for seed in range(12):
        assert partition_of(eps, 8, 2, min_rows=6, seed=seed).centres.tolist() == [[10.0]]


def test_one_cluster_stays_where_all_are_too_small():
    eps = torch.randn(90, 2, generator=torch.Generator().manual_seed(0))
    found = partition_of(eps, 40, 9, min_rows=80)
    assert found.counts.tolist() == [90] and found.dissolved == 8
    tied = torch.tensor([[0.0], [1.0]]).repeat(10, 1)
    assert partition_of(tied, 20, 2, min_rows=15).counts.tolist() == [20]


class Killed(Exception):
    pass


class Memory:
    """Checkpoints in memory; ends the fit at each save."""

    def __init__(self):
        self.state = None

    def load(self):
        return self.state

    def save(self, state):
        tensors = {name: rows.clone() for name, rows in state.tensors.items()}
        self.state = Artifact(tensors, dict(state.meta))
        raise Killed


def test_killed_after_every_file_it_goes_on_bit_for_bit():
    """Two passes to learn, and two to count, as one cluster is dissolved after the first."""
    eps = torch.randn(17_000, 2, generator=torch.Generator().manual_seed(0))
    files, read = eps.split([7001, 1, 0, 6000, 3998]), []
    rows = [len(file) for file in files]

    def fit(runtime):
        def codes(number):
            read.append(number)
            return files[number]

        return fit_partition(codes, rows, 6, min_rows=1500, max_passes=2, seed=0, runtime=runtime)

    undisturbed, expected = fit(Runtime()), list(read)
    assert undisturbed.dissolved and len(read) == 1 + 20  # the first file to begin with
    read.clear()

    memory, found = Memory(), None
    while found is None:
        with contextlib.suppress(Killed):
            found = fit(Runtime(checkpoints=memory, checkpoint_every=0.0))

    assert read == expected  # no file is read again
    for name in ("centres", "counts", "spread"):
        assert torch.equal(getattr(found, name), getattr(undisturbed, name))


def test_everything_random_is_of_the_seed(monkeypatch):
    seeds, start, generator = [], sklearn.cluster.kmeans_plusplus, np.random.default_rng

    def starting(rows, num, *, random_state):
        seeds.append(random_state)
        return start(rows, num, random_state=random_state)

    def replacing(given):
        seeds.append(given[0])
        assert given[1:] == (len(seeds) - 2, 0)  # the file, and the mini-batch of it
        return generator(given)

    eps = torch.randn(90, 2, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(sklearn.cluster, "kmeans_plusplus", starting)
    monkeypatch.setattr(np.random, "default_rng", replacing)
    partition_of(eps, 45, 3, max_passes=2, seed=17)
    assert seeds == [17] * 5

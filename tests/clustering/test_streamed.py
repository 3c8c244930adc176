"""K-means on codes that come file by file: as scikit-learn does it, and a killed fit goes on."""

from __future__ import annotations

import contextlib

import torch
from sklearn.cluster import MiniBatchKMeans
from torch.testing import assert_close

from scgan.clustering.streamed import fit_partition
from scgan.store.artifacts import Artifact
from scgan.training.runtime import Runtime


def partition_of(eps, pieces, num_clusters, **options):
    """The partition of codes that come in pieces of the given sizes."""
    files = eps.split(pieces)
    how = {"min_rows": 4, "max_passes": 30, "seed": 0, "runtime": Runtime(), **options}
    return fit_partition(
        lambda number: files[number], [len(rows) for rows in files], num_clusters, **how
    )


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
    assert read == 2 * list(range(820))  # and once to count


class Killed(Exception):
    pass


class Memory:
    """Checkpoints in memory; ends the fit at each save."""

    def __init__(self):
        self.state = None

    def load(self):
        return self.state

    def save(self, state):
        self.state = Artifact(
            {name: rows.clone() for name, rows in state.tensors.items()}, dict(state.meta)
        )
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
    assert undisturbed.dissolved and len(read) == 20
    read.clear()
    memory, found = Memory(), None
    while found is None:
        with contextlib.suppress(Killed):
            found = fit(Runtime(checkpoints=memory, checkpoint_every=0.0))
    assert read == expected  # no file is read again
    for name in ("centres", "counts", "spread"):
        assert torch.equal(getattr(found, name), getattr(undisturbed, name))

"""K-means on codes that don't fit into memory: passes that learn, then a pass that counts.

State between two files is the centres and a count for each, so that a killed fit goes on with the
same result, bit for bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scgan.clustering.in_memory import Partition, nearest_centre
from scgan.store.artifacts import Artifact
from scgan.training.runtime import Progress, Runtime

BATCH_ROWS = 4096
MIN_STEPS = 200  # mini-batches that a partition is made of at least, as far as the passes allow
TINY = 0.01  # share of the largest count below which a centre is put elsewhere, as in scikit-learn

Codes = Callable[[int], Tensor]


def fit_partition(
    codes: Codes,
    file_rows: Sequence[int],
    num_clusters: int,
    *,
    min_rows: int,
    max_passes: int,
    seed: int,
    runtime: Runtime,
) -> Partition:
    """Partition codes by K-means in mini-batches, file by file.

    Args:
        codes: Reads a file's codes, ``[n, d]``, in an order that says nothing of them.
        file_rows: Codes of each file.
        num_clusters: K asked for; fewer come back where clusters are small.
        min_rows: Clusters with fewer rows are dissolved into the nearest of the others.
        max_passes: Most passes of K-means; one where that makes 200 mini-batches.
        seed: Of the start, and of the rows that tiny centres are put on.
        runtime: Where it runs: told the rows that were read; keeps the state between files.

    Returns:
        The partition; each cluster has at least ``min_rows`` rows, or there is one cluster.

    Source: [SCGAN] Sec. 2.2, [SCULLEY] Alg. 1. Differs: starts by k-means++; the codes come in
        order, as that is random already; tiny centres are put elsewhere.
    """
    num_files, num_rows = len(file_rows), sum(file_rows)
    num_clusters = min(num_clusters, num_rows)
    size = max(BATCH_ROWS, 16 * num_clusters)
    learning = num_files * min(max_passes, math.ceil(MIN_STEPS / math.ceil(num_rows / size)))

    start = kept = time.monotonic()
    saved = None if runtime.checkpoints is None else runtime.checkpoints.load()
    if saved is None:
        state = _start(_first_rows(codes, num_files, size), num_clusters, seed)
    else:
        state = _restored(saved)

    while True:
        eps = codes(state.turn % num_files)
        if state.turn < learning:
            state.learn(eps, size, seed)
        else:
            state.count(eps)

        state.turn += 1
        passes, number = divmod(state.turn, num_files)

        if state.turn == learning:
            state.begin_count(torch.ones(num_clusters, dtype=torch.bool))
        elif state.turn > learning and number == 0:
            keep = state.large_enough(min_rows)
            if keep.all():
                return state.partition(num_clusters)
            state.begin_count(keep)

        now, done = time.monotonic(), passes * num_rows + sum(file_rows[:number])
        total = num_rows * (learning // num_files + 1)
        runtime.report(Progress(done, max(total, done), {}, now - start))

        if runtime.checkpoints is not None and now - kept > runtime.checkpoint_every:
            runtime.checkpoints.save(state.artifact())
            kept = now


@dataclass
class _State:
    """All that a fit is between two files.

    Args:
        turn: Files that were read, over all passes.
        centres: ``[K, d]``; double while it learns.
        counts: Rows of each centre, ``[K]``: all that moved it, then those of the pass that counts.
        squares: Of that pass's rows, sum of mean square distances to the centre, ``[K]``.
    """

    turn: int
    centres: Tensor
    counts: Tensor
    squares: Tensor

    def learn(self, eps: Tensor, size: int, seed: int) -> None:
        """Move the centres by a file's codes, ``size`` at a time."""
        for i, batch in enumerate(eps.double().split(size)):
            move_centres(self.centres, self.counts, batch)
            random = np.random.default_rng((seed, self.turn, i))  # no state of its own to keep
            replace_tiny(self.centres, self.counts, batch, random)

    def begin_count(self, keep: Tensor) -> None:
        """Count from zero, for those of the centres that are kept, ``[K]`` of truth values."""
        self.centres = self.centres[keep].float()
        self.counts = torch.zeros(len(self.centres), dtype=torch.int64)
        self.squares = torch.zeros(len(self.centres), dtype=torch.float64)

    def count(self, eps: Tensor) -> None:
        """Count a file's codes, and sum their mean square distances to their centres."""
        k = nearest_centre(eps, self.centres)
        self.counts += torch.bincount(k, minlength=len(self.centres))
        self.squares.index_add_(0, k, (eps - self.centres[k]).double().square().mean(1))

    def large_enough(self, min_rows: int) -> Tensor:
        """The centres with ``min_rows`` rows, else the one with most: ``[K]`` of truth values."""
        keep = self.counts >= min_rows
        if not keep.any():
            keep[self.counts.argmax()] = True
        return keep

    def partition(self, began_with: int) -> Partition:
        """What was counted, of so many centres at first."""
        spread = (self.squares / self.counts).sqrt().float()
        return Partition(self.centres, self.counts, spread, began_with - len(self.centres))

    def artifact(self) -> Artifact:
        """All of it, to be kept."""
        tensors = {"centres": self.centres, "counts": self.counts, "squares": self.squares}
        return Artifact(tensors, {"turn": self.turn})


def _restored(saved: Artifact) -> _State:
    # Copies, as the state is changed in place.
    tensors = {name: tensor.clone() for name, tensor in saved.tensors.items()}
    return _State(saved.meta["turn"], **tensors)


def _first_rows(codes: Codes, num_files: int, size: int) -> Tensor:
    """The first ``size`` rows, or all where they are fewer."""
    files, rows = list[Tensor](), 0
    for number in range(num_files):
        files.append(codes(number)[: size - rows])
        rows += len(files[-1])
        if rows == size:
            break

    return torch.cat(files)


def _start(rows: Tensor, num_clusters: int, seed: int) -> _State:
    """Centres chosen among rows ``[n, d]`` by k-means++, which no row has moved yet."""
    from sklearn.cluster import kmeans_plusplus
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # the order of sums, and so the result, depends on threads
        centres, _ = kmeans_plusplus(rows.double().numpy(), num_clusters, random_state=seed)

    counts = torch.zeros(num_clusters, dtype=torch.int64)
    return _State(0, torch.from_numpy(centres), counts, counts.double())


def move_centres(centres: Tensor, counts: Tensor, batch: Tensor) -> None:
    r"""Move each centre towards the rows of a batch that are nearest to it, in place.

    Row by row ``c <- (1 - 1/v) c + x/v`` with ``v`` the rows that moved ``c`` so far, this one
    among them; of all its rows at once, ``c <- (v c + \sum x) / (v + n)``.

    Args:
        centres: ``[K, d]``, double.
        counts: ``v``, ``[K]``.
        batch: ``[B, d]``, double.

    Source: [SCULLEY] Alg. 1.
    """
    k = nearest_centre(batch, centres)
    sums = (counts[:, None] * centres).index_add_(0, k, batch)
    counts += torch.bincount(k, minlength=len(counts))
    moved = counts > 0
    centres[moved] = sums[moved] / counts[moved, None]


def replace_tiny(
    centres: Tensor, counts: Tensor, batch: Tensor, random: np.random.Generator
) -> None:
    """Put centres with less than a hundredth of the largest count on rows of a batch, in place.

    They get the smallest count of the others. No more than half of the batch is used, for those
    with the smallest counts.

    Args:
        centres: ``[K, d]``.
        counts: Rows that moved each, ``[K]``.
        batch: ``[B, d]``.
        random: Chooses the rows.
    """
    tiny = counts < TINY * counts.max()
    chosen = counts.argsort(stable=True)[: min(int(tiny.sum()), len(batch) // 2)]
    if not len(chosen):
        return

    rows = random.choice(len(batch), len(chosen), replace=False)
    centres[chosen] = batch[torch.from_numpy(rows)]
    counts[chosen] = counts[~tiny].min()

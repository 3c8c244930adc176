"""K-means on codes that don't fit into memory: a pass or more to learn, a pass to count, put away between files."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from scgan.clustering.in_memory import Partition, nearest_centre
from scgan.store.artifacts import Artifact
from scgan.training.runtime import Progress, Runtime

BATCH_ROWS = 4096
MIN_STEPS = 200  # mini-batches that a partition is made of at least, as far as the passes allow


def fit_partition(
    codes: Callable[[int], Tensor],
    file_rows: Sequence[int],
    num_clusters: int,
    *,
    min_rows: int,
    max_passes: int,
    seed: int,
    runtime: Runtime,
) -> Partition:
    """Partition codes by K-means in mini-batches, as :func:`scgan.clustering.in_memory.fit_clusters` does those in memory.

    Args:
        codes: Reads a file's codes, ``[n, d]``, in an order that says nothing of them.
        file_rows: Codes of each file.
        num_clusters: K asked for; fewer come back where clusters are small.
        min_rows: Clusters with fewer rows are dissolved into the nearest of the others.
        max_passes: Most passes of K-means; one where that makes 200 mini-batches.
        seed: Of the start.
        runtime: Where it runs: told the rows that were read; keeps the state between files, from
            which a killed fit goes on with the same result, bit for bit.

    Returns:
        The partition; each cluster has at least ``min_rows`` rows, or there is one cluster.

    Source: [SCGAN] Sec. 2.2, [SCULLEY].
    """
    from threadpoolctl import threadpool_limits

    num_files, num_rows = len(file_rows), sum(file_rows)
    size = max(BATCH_ROWS, 16 * num_clusters)
    passes = min(max_passes, -(-MIN_STEPS // -(-num_rows // size)))
    learning = _Learning(min(num_clusters, num_rows), size, seed)
    counting = _Counting(min_rows)
    start, turn = time.monotonic(), 0
    kept = start

    if runtime.checkpoints is not None and (saved := runtime.checkpoints.load()) is not None:
        turn = saved.meta["turn"]
        learning.restore(saved)
        counting.restore(saved)

    while True:
        number, eps = turn % num_files, codes(turn % num_files)
        turn += 1
        last = number == num_files - 1

        if turn <= passes * num_files:
            with threadpool_limits(1):  # the order of sums, and so the result, depends on threads
                learning.add(eps, last)

            if turn == passes * num_files:
                counting.begin(learning.centres)
        else:
            counting.add(eps)
            if last and (found := counting.settle()) is not None:
                return found

        now, done = (
            time.monotonic(),
            (turn // num_files) * num_rows + sum(file_rows[: turn % num_files]),
        )
        runtime.report(Progress(done, max(num_rows * (passes + 1), done), {}, now - start))

        if runtime.checkpoints is not None and now - kept > runtime.checkpoint_every:
            runtime.checkpoints.save(
                Artifact(learning.tensors() | counting.tensors(), {"turn": turn})
            )
            kept = now


class _Learning:
    """Scikit-learn's K-means in mini-batches of one size, whatever the files' sizes.

    Args:
        num_clusters: K.
        size: Rows of a mini-batch.
        seed: Of the start.
    """

    def __init__(self, num_clusters: int, size: int, seed: int) -> None:
        from sklearn.cluster import MiniBatchKMeans

        self.kmeans = MiniBatchKMeans(
            num_clusters, batch_size=size, random_state=seed, n_init=1, compute_labels=False
        )
        self.size = size
        self.rest: Tensor | None = None

    @property
    def centres(self) -> Tensor:
        """``[K, d]``."""
        return torch.from_numpy(self.kmeans.cluster_centers_).float()

    def add(self, eps: Tensor, last: bool) -> None:
        """Learn from a file's codes; from what is left of a pass too where it is the last file."""
        rows = eps if self.rest is None else torch.cat([self.rest, eps])
        *batches, self.rest = rows.split(self.size)
        if last:
            batches, self.rest = [*batches, self.rest], self.rest[:0]
        for batch in batches:
            if len(batch):
                self.kmeans.partial_fit(batch.numpy().astype(np.float64))

    def tensors(self) -> dict[str, Tensor]:
        """All that it is after some file; scikit-learn gives no other way than its private attributes."""
        assert self.rest is not None
        if not hasattr(self.kmeans, "cluster_centers_"):
            return {"rest": self.rest.clone()}

        random = self.kmeans._random_state.get_state(legacy=False)["state"]
        numbers = [self.kmeans._n_since_last_reassign, random["pos"], *random["key"].tolist()]

        return {
            "rest": self.rest.clone(),
            "centres": torch.from_numpy(self.kmeans.cluster_centers_.copy()),
            "weights": torch.from_numpy(self.kmeans._counts.copy()),
            "numbers": torch.tensor(numbers, dtype=torch.int64),
        }

    def restore(self, saved: Artifact) -> None:
        """Take up what :meth:`tensors` gave."""
        self.rest = saved.tensors["rest"]
        if "centres" not in saved.tensors:
            return

        centres = saved.tensors["centres"].numpy()
        self.kmeans.partial_fit(centres)  # makes the attributes that are set below
        since, pos, *key = saved.tensors["numbers"].tolist()
        self.kmeans.cluster_centers_ = centres.copy()
        self.kmeans._counts = saved.tensors["weights"].numpy().copy()
        self.kmeans._n_since_last_reassign = since
        self.kmeans._random_state.set_state(("MT19937", np.array(key, dtype=np.uint32), pos))


class _Counting:
    """Counts each cluster's rows in a pass, and again where some were too few.

    Args:
        min_rows: Clusters with fewer are dissolved.
    """

    def __init__(self, min_rows: int) -> None:
        self.min_rows = min_rows
        self.began_with = 0

    def begin(self, centres: Tensor) -> None:
        """Count anew, for the nearest of these centres ``[K, d]``."""
        self.began_with = self.began_with or len(centres)
        self.final, self.counts = centres, torch.zeros(len(centres), dtype=torch.int64)
        self.squares = torch.zeros(len(centres), dtype=torch.float64)

    def add(self, eps: Tensor) -> None:
        """Count a file's codes, and sum their mean square distances to their centres."""
        k = nearest_centre(eps, self.final)
        self.counts += torch.bincount(k, minlength=len(self.final))
        self.squares.index_add_(0, k, (eps - self.final[k]).double().square().mean(1))

    def settle(self) -> Partition | None:
        """The partition, or None where it has to be counted again without the clusters that were too small."""
        keep = self.counts >= self.min_rows
        if not keep.any():
            keep[self.counts.argmax()] = True
        if keep.all():
            spread = (self.squares / self.counts).sqrt().float()
            return Partition(self.final, self.counts, spread, self.began_with - len(self.final))
        self.begin(self.final[keep])
        return None

    def tensors(self) -> dict[str, Tensor]:
        """All that it is."""
        if not self.began_with:
            return {}

        began = torch.tensor(self.began_with)
        return {
            "began_with": began,
            "final": self.final,
            "counts": self.counts,
            "squares": self.squares,
        }

    def restore(self, saved: Artifact) -> None:
        """Take up what :meth:`tensors` gave."""
        if "final" in saved.tensors:
            self.began_with = int(saved.tensors["began_with"])
            self.final, self.counts, self.squares = (
                saved.tensors[key] for key in ("final", "counts", "squares")
            )

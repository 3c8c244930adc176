"""K-means by Lloyd's rounds in torch: scikit-learn's from the same start, and from its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from scgan.clustering import in_memory
from scgan.clustering.lloyd import k_means, lloyd


def blobs(num=3000, spread=0.3):
    generator = torch.Generator().manual_seed(0)
    centres = 4 * torch.rand(8, 3, generator=generator)
    which = torch.randint(8, (num,), generator=generator)
    return centres[which] + spread * torch.randn(num, 3, generator=generator)


@pytest.mark.parametrize("max_iter", [1, 3, 100])
def test_rounds_are_scikit_learns(max_iter):
    eps, start = blobs(spread=0.8), blobs(spread=0.8)[:8]
    k, centres, tightness = lloyd(eps, start, max_iter)
    theirs = KMeans(8, init=start.numpy(), n_init=1, max_iter=max_iter, tol=0, algorithm="lloyd")
    theirs.fit(eps.numpy().astype(np.float64))
    torch.testing.assert_close(
        centres.double(), torch.from_numpy(theirs.cluster_centers_), atol=1e-4, rtol=0
    )
    assert (k.numpy() == theirs.labels_).mean() > 0.999
    assert tightness == pytest.approx(theirs.inertia_ / len(eps), rel=1e-4)


def test_a_centre_that_no_code_is_nearest_to_stays():
    eps = torch.tensor([[0.0], [1.0]])
    k, centres, _ = lloyd(eps, torch.tensor([[0.5], [50.0]]), 10)
    assert k.tolist() == [0, 0] and centres.tolist() == [[0.5], [50.0]]


def test_starts_find_the_blobs_and_follow_the_seed():
    eps = blobs(spread=0.05)
    k, centres = k_means(eps, 8, max_iter=50, seed=3, num_starts=5)
    assert len(k.unique()) == 8
    assert (eps - centres[k]).square().mean().sqrt() < 0.06
    again = k_means(eps, 8, max_iter=50, seed=3, num_starts=5)
    assert torch.equal(k, again[0]) and torch.equal(centres, again[1])


def test_the_tightest_start_is_kept():
    eps = torch.rand(500, 2, generator=torch.Generator().manual_seed(0))  # no blobs: starts differ

    def tightness(**how):
        k, centres = k_means(eps, 12, max_iter=50, **how)
        return float((eps - centres[k]).square().mean())

    alone = [tightness(seed=seed, num_starts=1) for seed in range(6)]
    assert min(alone) < 0.99 * max(alone)
    assert tightness(seed=0, num_starts=6) == pytest.approx(min(alone))


class Elsewhere(torch.Tensor):
    """Codes that say they lie on a GPU."""

    device = torch.device("cuda")

    def cpu(self):
        return self.as_subclass(torch.Tensor)


def test_codes_are_clustered_where_they_lie(monkeypatch):
    seen = []

    def noted(eps, num, **how):
        seen.append((type(eps), num, how))
        return k_means(eps.cpu(), num, **how)

    monkeypatch.setattr(in_memory, "k_means", noted)
    how = {"min_rows": 2, "max_iter": 20, "mini_batch_above": 100, "seed": 1, "num_starts": 3}
    eps = blobs()
    found = in_memory.fit_clusters(eps.as_subclass(Elsewhere), 8, **how)
    assert seen == [(Elsewhere, 8, {"max_iter": 20, "seed": 1, "num_starts": 3})]
    assert found.counts.sum() == len(eps) and type(found.k) is torch.Tensor
    in_memory.fit_clusters(eps, 8, **how)
    assert len(seen) == 1

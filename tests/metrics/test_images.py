"""Image metrics against slow loops, closed forms and distributions with known truth."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import nn

from scgan.metrics import images
from scgan.metrics.images import (
    chamfer_tsne,
    features,
    fid,
    inception_score,
    kid,
    probabilities,
    tsne_coordinates,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def correlated(num, dim, seed):
    """Features with correlations and scales like a network's."""
    generator = seeded(seed)
    mixing = torch.randn(dim, dim, generator=generator, dtype=torch.float64)
    return (torch.randn(num, dim, generator=generator, dtype=torch.float64) @ mixing + 0.5).relu()


def exact(num, mean, scales, seed):
    """Rows with exactly this mean and these variances, uncorrelated."""
    rows = torch.randn(num, len(mean), generator=seeded(seed), dtype=torch.float64)
    rows = rows - rows.mean(0)
    rows = rows @ torch.linalg.inv(torch.linalg.cholesky(rows.T.cov())).T
    return rows * torch.tensor(scales, dtype=torch.float64) + torch.tensor(
        mean, dtype=torch.float64
    )


def slow_fid(x, y):
    x, y = x.numpy(), y.numpy()
    root = scipy.linalg.sqrtm(np.cov(x.T) @ np.cov(y.T))
    return ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(
        np.cov(x.T) + np.cov(y.T) - 2 * root.real
    )


def test_fid_equals_the_matrix_square_root():
    for seed, (num_x, num_y, dim) in enumerate([(300, 200, 16), (1000, 1000, 64)]):
        x, y = correlated(num_x, dim, seed), correlated(num_y, dim, seed + 10)
        assert fid(x, y) == pytest.approx(slow_fid(x, y), rel=1e-6)
        assert fid(x, y) == pytest.approx(fid(y, x), rel=1e-6)


def test_fid_of_known_normal_distributions():
    x, y = (
        exact(500, [0.0, 1.0, -2.0], [1.0, 2.0, 0.5], 0),
        exact(400, [1.0, 1.0, 0.0], [3.0, 2.0, 1.0], 1),
    )
    assert fid(x, y) == pytest.approx((1 + 0 + 4) + (2**2 + 0**2 + 0.5**2), rel=1e-9)
    assert fid(x, x) == pytest.approx(0, abs=1e-9)


def test_fid_of_features_far_from_zero():
    x, y = correlated(300, 8, 0), correlated(300, 8, 1)
    assert fid(x + 1e7, y + 1e7) == pytest.approx(fid(x, y), rel=1e-6)


def test_fid_with_fewer_images_than_features():
    """The trace of the root is the nuclear norm of the product of the centred rows."""
    x, y = correlated(30, 50, 0), correlated(40, 50, 1)
    centred = [(rows - rows.mean(0)) / math.sqrt(len(rows) - 1) for rows in (x, y)]
    root = torch.linalg.matrix_norm(centred[0] @ centred[1].T, "nuc")
    means = (x.mean(0) - y.mean(0)).square().sum()
    expected = means + sum(rows.square().sum() for rows in centred) - 2 * root
    assert fid(x, y) == pytest.approx(float(expected), rel=1e-6)


def slow_mmd(x, y):
    """Unbiased, by loops over all pairs."""

    def kernel(a, b):
        return (float(a @ b) / len(a) + 1) ** 3

    def within(rows):
        return np.mean(
            [kernel(rows[i], rows[j]) for i, j in itertools.permutations(range(len(rows)), 2)]
        )

    return within(x) + within(y) - 2 * np.mean([kernel(a, b) for a in x for b in y])


def test_kid_equals_a_slow_loop():
    x, y = correlated(23, 5, 0), correlated(23, 5, 1)
    assert kid(x, y, 0) == pytest.approx(slow_mmd(x, y), rel=1e-9)


def test_kid_is_unbiased():
    """Zero on average for one distribution, negative half the time; biased, it were above 0.5."""
    draws = torch.randn(400, 2, 20, 4, generator=seeded(3), dtype=torch.float64)
    values = torch.tensor([kid(x, y, 0) for x, y in draws])
    assert abs(float(values.mean())) < 4 * float(values.std()) / math.sqrt(len(values)) < 0.1
    assert 0.3 < float((values < 0).double().mean()) < 0.8
    assert kid(draws[0, 0], draws[0, 1] + 1, 0) > float(values.max())


def test_kid_of_many_rows_is_a_mean_over_subsets(monkeypatch):
    x, y = correlated(300, 3, 0), correlated(250, 3, 1)
    expected = kid(x[:250], y, 0)  # of all rows at once
    monkeypatch.setattr(images, "KID_SUBSET_SIZE", 50)
    state = torch.get_rng_state()
    value = kid(x, y, 5)
    assert torch.equal(state, torch.get_rng_state())
    assert value == kid(x, y, 5) != kid(x, y, 6)
    assert value == pytest.approx(expected, rel=0.25)
    steady = torch.tensor([kid(x, y, seed) for seed in range(8)]).std()
    monkeypatch.setattr(images, "KID_SUBSETS", 1)
    assert (
        steady < torch.tensor([kid(x, y, seed) for seed in range(8)]).std() / 4
    )  # of 100: a tenth


def test_kid_of_unequal_numbers_is_over_subsets_too(monkeypatch):
    sizes = []

    def recorded(x, y):
        sizes.append((len(x), len(y)))
        return torch.tensor(0.5)

    monkeypatch.setattr("torchmetrics.image.kid.poly_mmd", recorded)
    assert kid(correlated(30, 3, 0), correlated(20, 3, 1), 0) == 0.5
    assert sizes == [(20, 20)] * 100
    kid(correlated(1200, 3, 0), correlated(1100, 3, 1), 0)
    assert sizes[100:] == [(1000, 1000)] * 100


def test_inception_score_equals_a_slow_loop():
    p = torch.rand(60, 5, generator=seeded(), dtype=torch.float64)
    p = p / p.sum(1, keepdim=True)
    marginal = [sum(float(row[k]) for row in p) / 60 for k in range(5)]
    divergences = [
        sum(float(row[k]) * math.log(float(row[k]) / marginal[k]) for k in range(5)) for row in p
    ]
    assert inception_score(p) == (pytest.approx(math.exp(sum(divergences) / 60), rel=1e-9), 0.0)


def test_inception_score_of_sure_and_of_blind_classifiers():
    one_hot = torch.eye(7).repeat(10, 1)
    assert inception_score(one_hot)[0] == pytest.approx(7, rel=1e-6)
    assert inception_score(one_hot[:1].repeat(20, 1))[0] == pytest.approx(1, rel=1e-6)
    assert inception_score(torch.full((20, 4), 0.25))[0] == pytest.approx(1, rel=1e-6)


def test_inception_score_over_random_parts():
    ordered = torch.eye(5).repeat_interleave(100, 0)  # unshuffled, each of 5 parts would score 1
    state = torch.get_rng_state()
    mean, deviation = inception_score(ordered, splits=5)
    assert torch.equal(state, torch.get_rng_state())
    assert 4.8 < mean < 5 and 0 < deviation < 0.2


@pytest.mark.parametrize(
    "p", [torch.ones(3, 2), torch.zeros(0, 2), torch.rand(4), torch.tensor([[1.5, -0.5]])]
)
def test_inception_score_of_no_distributions_is_refused(p):
    with pytest.raises(ValueError, match="rows of probabilities"):
        inception_score(p)
    with pytest.raises(ValueError, match="splits must be between 1 and the 3 images"):
        inception_score(torch.full((3, 2), 0.5), splits=4)


def test_chamfer_equals_loops_over_the_embedding(monkeypatch):
    monkeypatch.setattr(images, "tsne_coordinates", lambda rows, num_dims, seed: rows)
    real, fake = torch.randn(2, 15, 3, generator=seeded(), dtype=torch.float64)
    fake = fake * 2 + 1
    forth = [min(sum((a - b) ** 2).item() for b in fake) for a in real]
    back = [min(sum((a - b) ** 2).item() for b in real) for a in fake]
    measured = chamfer_tsne(real, fake, 0)
    assert measured.num == 15
    assert measured.real_to_fake_sum == pytest.approx(sum(forth), rel=1e-9)
    assert measured.symmetric_mean == pytest.approx(sum(forth) / 15 + sum(back) / 15, rel=1e-9)
    assert chamfer_tsne(real, fake[:9], 0).num == 9


def test_chamfer_is_measured_in_a_joint_embedding_of_three_dimensions(monkeypatch):
    seen = []

    def doubled(rows, num_dims, seed):
        seen.append((tuple(rows.shape), num_dims, seed))
        return 2 * rows

    real, fake = correlated(14, 5, 0), correlated(12, 5, 1) + 1
    monkeypatch.setattr(images, "tsne_coordinates", lambda rows, num_dims, seed: rows)
    plain = chamfer_tsne(real, fake, 7, num=10)
    monkeypatch.setattr(images, "tsne_coordinates", doubled)
    measured = chamfer_tsne(real, fake, 7, num=10)
    assert seen == [((20, 5), 3, 7)] and measured.num == 10
    assert measured.symmetric_mean == pytest.approx(4 * plain.symmetric_mean)
    assert measured.real_to_fake_sum == pytest.approx(4 * plain.real_to_fake_sum)
    others = {chamfer_tsne(real, fake, seed, num=10).symmetric_mean for seed in range(4)}
    assert len(others) > 1  # other rows are taken


def test_chamfer_takes_a_thousand_rows_a_side(monkeypatch):
    monkeypatch.setattr(images, "tsne_coordinates", lambda rows, num_dims, seed: rows)
    assert chamfer_tsne(correlated(1100, 2, 0), correlated(1050, 2, 1), 0).num == 1000


def test_an_embeddings_settings(monkeypatch):
    """Perplexity 30 or a third of the neighbours; principal components where there are enough."""
    seen = []

    class Recorder:
        def __init__(self, num_dims, **options):
            seen.append((num_dims, options["perplexity"], options["init"], options["random_state"]))

        def fit_transform(self, rows):
            return rows

    monkeypatch.setattr("sklearn.manifold.TSNE", Recorder)
    tsne_coordinates(torch.zeros(100, 4), 3, 5)
    tsne_coordinates(torch.zeros(40, 2), 3, 6)
    assert seen == [(3, 30.0, "pca", 5), (3, 13.0, "random", 6)]


@pytest.mark.slow
def test_chamfer_in_a_real_embedding_grows_where_modes_are_missed():
    centres = torch.randn(4, 16, generator=seeded(1)) * 20
    real = centres.repeat(25, 1) + torch.randn(100, 16, generator=seeded(2))
    good = centres.repeat(25, 1) + torch.randn(100, 16, generator=seeded(3))
    collapsed = centres[:1] + torch.randn(100, 16, generator=seeded(4))
    same = chamfer_tsne(real, good, 0)
    assert same == chamfer_tsne(real, good, 0)
    missed = chamfer_tsne(real, collapsed, 0)
    assert (
        missed.real_to_fake_sum > 2 * same.real_to_fake_sum
        and missed.symmetric_mean > same.symmetric_mean
    )


def test_an_embedding_keeps_neighbours():
    rows = torch.cat([torch.randn(20, 8, generator=seeded(i)) + 30 * i for i in range(2)])
    points = tsne_coordinates(rows, 2, 0)
    nearest = (torch.cdist(points, points) + torch.eye(40) * 1e9).argmin(1)
    assert points.shape == (40, 2) and torch.equal(nearest < 20, torch.arange(40) < 20)
    assert torch.equal(points, tsne_coordinates(rows, 2, 0))


class Halves(nn.Module):
    """Mean of the upper and of the lower half; its classes are which is brighter."""

    name, num_features, classifier_name = "halves", 2, "brighter"

    def forward(self, x):
        self.seen = (*getattr(self, "seen", ()), len(x))
        assert x.is_floating_point() and x.min() >= -1 and x.max() <= 1
        return x.mean((1, 3)).unflatten(1, (2, -1)).mean(2)

    def logits(self, h):
        return h * 10


def test_features_of_pixels_and_floats_batch_by_batch():
    pixels = torch.randint(0, 256, (10, 3, 4, 4), generator=seeded(), dtype=torch.uint8)
    extractor = Halves()
    h = features(extractor, pixels, batch_size=4)
    assert extractor.seen == (4, 4, 2)
    expected = torch.stack(
        [pixels[:, :, :2].double().mean((1, 2, 3)), pixels[:, :, 2:].double().mean((1, 2, 3))], 1
    )
    torch.testing.assert_close(h.double(), expected / 127.5 - 1, rtol=0, atol=1e-5)
    torch.testing.assert_close(features(extractor, pixels.float() / 127.5 - 1), h)
    assert (h.dtype, h.requires_grad) == (torch.float32, False)
    ratios = probabilities(extractor, h)
    torch.testing.assert_close(ratios.sum(1), torch.ones(10, dtype=torch.float64))
    torch.testing.assert_close(
        (ratios[:, 0] / ratios[:, 1]).log(), 10 * (h[:, 0] - h[:, 1]).double()
    )


@pytest.mark.parametrize("bad", [torch.zeros(0, 1, 4, 4), torch.zeros(2, 4, 4)])
def test_features_of_no_images_are_refused(bad):
    with pytest.raises(ValueError, match="non-empty tensor"):
        features(Halves(), bad)


@pytest.mark.parametrize(
    "metric", [fid, lambda x, y: kid(x, y, 0), lambda x, y: chamfer_tsne(x, y, 0)]
)
def test_features_that_do_not_go_together_are_refused(metric):
    good = torch.randn(5, 3)
    for bad in (torch.randn(5, 2), torch.randn(1, 3), torch.randn(5)):
        with pytest.raises(ValueError, match="2 images or more"):
            metric(good, bad)
    with pytest.raises(ValueError, match="the fake images' features are not finite"):
        metric(good, good / 0)

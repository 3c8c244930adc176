"""Mutants of the metrics: file, text that occurs in it once, what stands instead, tests that fail.

Each is one line's change that makes a metric wrong, though it still gives a plausible number.
"""

from __future__ import annotations

_DISTRIBUTIONS = "scgan/metrics/distributions.py"
_IMAGES = "scgan/metrics/images.py"
_MODES = "scgan/metrics/modes.py"
_CLUSTERING = "scgan/metrics/clustering.py"
_ATTRIBUTES = "scgan/metrics/attributes.py"
_FIDELITY = "scgan/metrics/fidelity.py"
_TESTS = {
    _DISTRIBUTIONS: ("tests/metrics/test_distributions.py",),
    _IMAGES: ("tests/metrics/test_images.py",),
    _MODES: ("tests/metrics/test_modes.py",),
    _CLUSTERING: ("tests/metrics/test_clustering_metrics.py",),
    _FIDELITY: ("tests/metrics/test_fidelity.py",),
    _ATTRIBUTES: ("tests/metrics/test_attributes.py",),
}

_CHANGES = [
    # Density, coverage, copies
    (_FIDELITY, "kthvalue(k + 1,", "kthvalue(k,"),
    (_FIDELITY, "holds = _distances(rows, fake) <= radius", "holds = _distances(rows, fake) < 0"),
    (_FIDELITY, "holds.any(1)", "holds.all(1)"),
    (_FIDELITY, "inside / (k * len(fake))", "inside / len(fake)"),
    (_FIDELITY, "covered / len(real)", "covered / len(fake)"),
    (_FIDELITY, "quantile(0.5)", "quantile(0.9)"),
    (_FIDELITY, "(distances < median)", "(distances > median)"),
    (_FIDELITY, "(distances == median).double() / 2", "(distances == median).double()"),
    # Sliced Wasserstein: directions, order, weights, mean
    (_DISTRIBUTIONS, "directions / torch.linalg.vector_norm(directions, dim=0)", "directions"),
    (
        _DISTRIBUTIONS,
        "vector_norm(directions, dim=0)",
        "vector_norm(directions, dim=1, keepdim=True)",
    ),
    (_DISTRIBUTIONS, "directions = torch.randn(dim, num,", "directions = torch.rand(dim, num,"),
    (_DISTRIBUTIONS, "randn(dim, num, generator=generator,", "randn(dim, num,"),
    (_DISTRIBUTIONS, "np.sort(projected.numpy(), axis=1)", "projected.numpy()"),
    (_DISTRIBUTIONS, "y_index]).abs_()", "y_index]).square_()"),
    (_DISTRIBUTIONS, "return total / directions.shape[1]", "return total / num_chunk"),
    (
        _DISTRIBUTIONS,
        "cuts[:-1] // num_y, cuts[:-1] // num_x",
        "cuts[1:] // num_y, cuts[:-1] // num_x",
    ),
    (_DISTRIBUTIONS, "(num_x * num_y)\n", "(num_x * num_x)\n"),
    # Energy distance: U- and V-statistic, root, sign, subset
    (_DISTRIBUTIONS, "len(rows) - 1 if unbiased", "len(rows) if unbiased"),
    (_DISTRIBUTIONS, "len(rows) - 1 if unbiased", "len(rows) - 1 if not unbiased"),
    (_DISTRIBUTIONS, "    unbiased: bool = True,", "    unbiased: bool = False,"),
    (_DISTRIBUTIONS, "squared = 2 * _sum_of", "squared = _sum_of"),
    (_DISTRIBUTIONS, "math.sqrt(max(0.0, squared))", "max(0.0, squared)"),
    (_DISTRIBUTIONS, "return 2 * total", "return total"),
    (_DISTRIBUTIONS, "rows[start + _BLOCK :]", "rows[start:]"),
    (_DISTRIBUTIONS, "_subset(y, num_max, generator)", "_subset(x, num_max, generator)"),
    (
        _DISTRIBUTIONS,
        "rows[torch.randperm(len(rows), generator=generator)[:num_max]]",
        "rows[:num_max]",
    ),
    # Nearest distances and what lies off the support
    (_DISTRIBUTIONS, "cKDTree(rows).query(queries)[0]", "cKDTree(queries).query(rows)[0]"),
    (_DISTRIBUTIONS, "query(queries)[0]", "query(queries, p=1)[0]"),
    (_DISTRIBUTIONS, "vector_norm(gaps, dim=1)", "vector_norm(gaps, dim=0)"),
    (_DISTRIBUTIONS, "distances > threshold", "distances >= threshold"),
    (
        _DISTRIBUTIONS,
        "np.quantile(real_distances.numpy(), quantile)",
        "np.quantile(distances.numpy(), quantile)",
    ),
    (_DISTRIBUTIONS, "*, quantile: float = 0.999) -> float", "*, quantile: float = 0.99) -> float"),
    # Two-sample classifier: training rows, labels, seeds
    (_DISTRIBUTIONS, "fit(rows[~held_out], labels[~held_out])", "fit(rows, labels)"),
    (_DISTRIBUTIONS, "predict(rows[held_out])", "predict(rows[~held_out])[: held_out.sum()]"),
    (_DISTRIBUTIONS, "predicted == labels[held_out]", "predicted != labels[held_out]"),
    (_DISTRIBUTIONS, "correct / (2 * num)", "correct / num"),
    (_DISTRIBUTIONS, "np.repeat([0, 1], num)", "np.tile([0, 1], num)"),
    (_DISTRIBUTIONS, "y = y[torch.randperm(len(y), generator=generator)[:num]]", "y = y[:num]"),
    (_DISTRIBUTIONS, "x = x[torch.randperm(len(x), generator=generator)[:num]]", "x = x[:num]"),
    (_DISTRIBUTIONS, "num = min(len(x), len(y), num_max)", "num = min(len(x), len(y))"),
    (
        _DISTRIBUTIONS,
        "generator = torch.Generator().manual_seed(seed)\n",
        "generator = torch.Generator().manual_seed(0)\n",
    ),
    # Fréchet and kernel distances of features
    (
        _IMAGES,
        "metric.update(fake - centre, real=False)",
        "metric.update(real - centre, real=False)",
    ),
    (_IMAGES, "metric.update(fake - centre,", "metric.update(fake - fake.mean(0),"),
    (_IMAGES, "centre = real.mean(0)", "centre = 0"),
    (_IMAGES, "centre = real.mean(0)", "centre = real.mean(1, keepdim=True)"),
    (
        _IMAGES,
        "_some(real, size, generator), _some(fake, size, generator)\n",
        "_some(real, size, generator), _some(real, size, generator)\n",
    ),
    (_IMAGES, "estimates.append(poly_mmd(x, y))", "estimates.append(poly_mmd(x, y, degree=2))"),
    (
        _IMAGES,
        "generator = torch.Generator().manual_seed(seed)\n    size",
        "generator = torch.Generator().manual_seed(0)\n    size",
    ),
    (_IMAGES, "max(len(real), len(fake)) > size", "min(len(real), len(fake)) > size"),
    (_IMAGES, "torch.stack(estimates).mean()", "estimates[0]"),
    (_IMAGES, "rows[torch.randperm(len(rows), generator=generator)[:num]]", "rows[:num]"),
    (
        _IMAGES,
        "KID_SUBSETS, KID_SUBSET_SIZE = 100, 1000",
        "KID_SUBSETS, KID_SUBSET_SIZE = 100, 100",
    ),
    # Inception Score
    (_IMAGES, "double().softmax(1)", "double().softmax(0)"),
    (_IMAGES, "splits=splits, sync_on_compute", "splits=1, sync_on_compute"),
    (_IMAGES, "metric.update(p.clamp_min(1e-300).log())", "metric.update(p)"),
    (_IMAGES, "return float(mean), float(deviation", "return float(mean.log()), float(deviation"),
    (_IMAGES, "splits: int = 1)", "splits: int = 2)"),
    # Embedding and Chamfer distance
    (_IMAGES, "x, y = tsne_coordinates(rows, 3, seed).split(num)", "x, y = rows.split(num)"),
    (_IMAGES, "tsne_coordinates(rows, 3, seed)", "tsne_coordinates(rows, 2, seed)"),
    (_IMAGES, "tsne_coordinates(rows, 3, seed)", "tsne_coordinates(rows, 3, 0)"),
    (_IMAGES, "random_state=seed", "random_state=0"),
    (_IMAGES, "nearest_distances(y, x).square()", "nearest_distances(y, x)"),
    (
        _IMAGES,
        "nearest_distances(x, y).square(), nearest",
        "nearest_distances(y, x).square(), nearest",
    ),
    (_IMAGES, "float(forth.sum())", "float(back.sum())"),
    (_IMAGES, "forth.mean() + back.mean()", "forth.mean()"),
    (_IMAGES, "(len(rows) - 1) / 3", "len(rows) / 3"),
    (_IMAGES, "seed: int, num: int = 1000)", "seed: int, num: int = 10)"),
    (
        _IMAGES,
        "return images if images.is_floating_point() else to_float(images)",
        "return images.float()",
    ),
    # Modes
    (_MODES, "HIGH_QUALITY_RADIUS = 3.0", "HIGH_QUALITY_RADIUS = 2.0"),
    (_MODES, "high_quality_radius(modes.shape[1])", "HIGH_QUALITY_RADIUS"),
    (_MODES, "chi.cdf(HIGH_QUALITY_RADIUS, 2), dim", "chi.cdf(HIGH_QUALITY_RADIUS, 1), dim"),
    (_MODES, "if dim <= 2:", "if dim <= 3:"),
    (_MODES, "xlogy(shares, shares / true_shares)", "xlogy(true_shares, true_shares / shares)"),
    (_MODES, "xlogy(shares, shares / true_shares)", "xlogy(shares, true_shares / shares)"),
    (_MODES, "distance, index = (gaps / std).min(dim=1)", "distance, index = gaps.min(dim=1)"),
    (_MODES, "(gaps / std)", "(gaps * std)"),
    (_MODES, "nearest[high_quality].unique()", "nearest.unique()"),
    (_MODES, "bincount(nearest, minlength", "bincount(nearest[high_quality], minlength"),
    (_MODES, "true_shares / true_shares.sum()", "true_shares"),
    (_MODES, "1.0 if weights is None else weights", "1.0"),
    (_MODES, "double() / len(samples)", "double() / high_quality.sum()"),
    (_MODES, "(spread > 0).all()", "(spread >= 0).all()"),
    # Clusterings
    (_CLUSTERING, "amax(dim=0)", "amax(dim=1)"),
    (_CLUSTERING, "maximize=True", "maximize=False"),
    (_CLUSTERING, "row * num_clusters + column", "row * num_labels + column"),
    (_CLUSTERING, "row * num_clusters + column", "column * num_labels + row"),
    (
        _CLUSTERING,
        "normalized_mutual_info_score(*_numbered(labels, clusters))",
        'normalized_mutual_info_score(*_numbered(labels, clusters), average_method="max")',
    ),
    (_CLUSTERING, "import adjusted_rand_score", "import rand_score as adjusted_rand_score"),
    (
        _CLUSTERING,
        "row, column = _numbered(labels, clusters)",
        "column, row = _numbered(labels, clusters)",
    ),
    # Attributes
    (_ATTRIBUTES, "float((predicted == y).double().mean())", "float((y == y).double().mean())"),
    (_ATTRIBUTES, "(asked & found).sum(0)", "(asked | found).sum(0)"),
    (_ATTRIBUTES, "(~asked & ~found).sum(0)", "(~asked & found).sum(0)"),
    (_ATTRIBUTES, "hits / asked.sum(0)", "hits / found.sum(0)"),
    (_ATTRIBUTES, "float(hits.sum() / asked.sum())", "float(recalls.nanmean())"),
    (_ATTRIBUTES, ".double().nanmean() / 2", ".double().mean() / 2"),
    (_ATTRIBUTES, "if balanced.isnan():", "if False:"),
    (
        _ATTRIBUTES,
        "(predicted == y).double()) / torch.bincount(y)",
        "(predicted == y).double()) / torch.bincount(predicted)",
    ),
    (_ATTRIBUTES, "float(recalls.nanmean()), tuple(recalls", "overall, tuple(recalls"),
    (_ATTRIBUTES, "enumerate(one_hot.bool().T)", "enumerate(~one_hot.bool().T)"),
    (_ATTRIBUTES, "if len(index) > 1", "if len(index) > 2"),
    (_ATTRIBUTES, "manual_seed(seed)", "manual_seed(0)"),
    (_ATTRIBUTES, "(len(rows) - 1)", "len(rows)"),
    (_ATTRIBUTES, " * math.sqrt(rows.shape[1])", ""),
    (_ATTRIBUTES, "rows = floats(x.detach().cpu()).double()", "rows = x.detach().cpu().double()"),
    (
        _ATTRIBUTES,
        "index[torch.randperm(len(index), generator=generator)[:NUM_IMAGES_MAX]]",
        "index[:NUM_IMAGES_MAX]",
    ),
    (_ATTRIBUTES, "rows = rows - rows.mean(0)", "rows = rows + 0"),
]

MUTANTS = [(path, old, new, _TESTS[path]) for path, old, new in _CHANGES]

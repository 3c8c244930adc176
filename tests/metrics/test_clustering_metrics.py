"""Agreement of clusterings against enumeration, formulas written out, and worked examples."""

import itertools
import math
from collections import Counter

import pytest
import torch

from scgan.metrics.clustering import (
    adjusted_rand_index,
    cluster_information,
    contingency_table,
    hungarian_accuracy,
    majority_accuracy,
    normalized_mutual_information,
    purity,
    silhouette,
)

ALL = [purity, hungarian_accuracy, normalized_mutual_information, adjusted_rand_index]


def random_partitions(
    num: int, num_labels: int, num_clusters: int
) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(num_labels * 10 + num_clusters)
    labels = torch.randint(num_labels, (num,), generator=generator)
    other = torch.randint(99, (num,), generator=generator)
    noisy = torch.where(torch.rand(num, generator=generator) < 0.4, labels, other)
    return labels, noisy % num_clusters


def test_contingency_table_of_arbitrary_names() -> None:
    labels, clusters = torch.tensor([7, 7, -1, 7, -1]), torch.tensor([30, 10, 10, 30, 20])
    assert contingency_table(labels, clusters).tolist() == [[1, 1, 0], [1, 0, 2]]


def test_worked_example() -> None:
    # Seventeen points in three clusters of crosses (0), circles (1) and diamonds (2).
    labels = torch.tensor([0] * 5 + [1] + [0] + [1] * 4 + [2] + [0] * 2 + [2] * 3)
    clusters = torch.tensor([0] * 6 + [1] * 6 + [2] * 5)
    assert purity(labels, clusters) == pytest.approx(12 / 17)
    assert hungarian_accuracy(labels, clusters) == pytest.approx(12 / 17)


@pytest.mark.parametrize("num_labels,num_clusters", [(3, 3), (2, 4), (4, 2)])
def test_hungarian_accuracy_against_every_assignment(num_labels: int, num_clusters: int) -> None:
    labels, clusters = random_partitions(40, num_labels, num_clusters)
    names = list(range(max(num_labels, num_clusters)))
    best = max(
        sum(order[k] == c for k, c in zip(clusters.tolist(), labels.tolist(), strict=True))
        for order in itertools.permutations(names)
    )
    assert hungarian_accuracy(labels, clusters) == pytest.approx(best / 40)


def test_purity_against_a_loop() -> None:
    labels, clusters = random_partitions(60, 4, 5)
    largest = (
        Counter(labels[clusters == k].tolist()).most_common(1)[0][1] for k in clusters.unique()
    )
    assert purity(labels, clusters) == pytest.approx(sum(largest) / 60)


def test_mutual_information_from_its_definition() -> None:
    labels, clusters = random_partitions(80, 3, 4)

    def entropy(values: list[object]) -> float:
        return -sum(n / 80 * math.log(n / 80) for n in Counter(values).values())

    h_label, h_cluster = entropy(labels.tolist()), entropy(clusters.tolist())
    joint = entropy(list(zip(labels.tolist(), clusters.tolist(), strict=True)))
    expected = 2 * (h_label + h_cluster - joint) / (h_label + h_cluster)
    assert normalized_mutual_information(labels, clusters) == pytest.approx(expected)


def test_rand_index_from_pairs() -> None:
    labels, clusters = random_partitions(50, 3, 4)
    pairs = list(itertools.combinations(range(50), 2))
    same_label = [bool(labels[i] == labels[j]) for i, j in pairs]
    same_cluster = [bool(clusters[i] == clusters[j]) for i, j in pairs]
    both = sum(a and b for a, b in zip(same_label, same_cluster, strict=True))
    expected_both = sum(same_label) * sum(same_cluster) / len(pairs)
    most = (sum(same_label) + sum(same_cluster)) / 2
    expected = (both - expected_both) / (most - expected_both)
    assert adjusted_rand_index(labels, clusters) == pytest.approx(expected)


@pytest.mark.parametrize("metric", ALL)
def test_renamed_labels_are_the_same_partition(metric) -> None:  # noqa: ANN001
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 2])
    assert metric(labels, 100 - 7 * labels) == pytest.approx(1.0)


def test_they_differ_where_clusters_are_many() -> None:
    labels = torch.arange(10) % 2
    assert purity(labels, torch.arange(10)) == 1
    assert hungarian_accuracy(labels, torch.arange(10)) == pytest.approx(0.2)
    assert adjusted_rand_index(labels, torch.arange(10)) == pytest.approx(0)
    expected = 2 * math.log(2) / (math.log(2) + math.log(10))
    assert normalized_mutual_information(labels, torch.arange(10)) == pytest.approx(expected)


@pytest.mark.parametrize("metric", ALL)
def test_refuses_wrong_input(metric) -> None:  # noqa: ANN001
    with pytest.raises(ValueError, match="of one length"):
        metric(torch.zeros(3, dtype=torch.long), torch.zeros(4, dtype=torch.long))
    with pytest.raises(ValueError, match="of one length"):
        metric(torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.long))
    with pytest.raises(ValueError, match="must be integers"):
        metric(torch.zeros(3), torch.zeros(3, dtype=torch.long))


def test_majority_accuracy_against_a_loop() -> None:
    labels, clusters = random_partitions(60, 4, 5)
    shares = []
    for label in labels.unique():
        mine = clusters[labels == label].tolist()
        shares.append(Counter(mine).most_common(1)[0][1] / len(mine))
    assert majority_accuracy(labels, clusters) == pytest.approx(sum(shares) / 4)
    assert majority_accuracy(labels, torch.zeros_like(labels)) == 1


def test_silhouette_against_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(30, 2, 3, generator=generator)
    clusters = torch.randint(3, (30,), generator=generator)
    values = []
    for i in range(30):
        gaps = (x - x[i]).flatten(1).norm(dim=1)
        own = (clusters == clusters[i]).nonzero()[:, 0].tolist()
        own.remove(i)
        a = gaps[own].mean().item()
        others = [k for k in range(3) if k != clusters[i]]
        b = min(gaps[clusters == k].mean().item() for k in others)
        values.append((b - a) / max(a, b))
    found = silhouette(x, clusters, seed=0)
    assert found == pytest.approx(sum(values) / 30, abs=1e-6)
    assert silhouette(x, torch.zeros(30), seed=0) is None
    assert silhouette(x, torch.arange(30), seed=0) is None

    monkeypatch.setattr("scgan.metrics.clustering.NUM_SILHOUETTE", 12)
    some = [silhouette(x, clusters, seed=seed) for seed in (0, 0, 1)]
    assert some[0] == some[1] != some[2] and some[0] != found


def test_information_against_a_loop() -> None:
    p = torch.rand(8, 3, generator=torch.Generator().manual_seed(0))
    p /= p.sum(1, keepdim=True)
    total = 0.0
    for row in p.tolist():
        for k, share in enumerate(row):
            total += share * math.log(share / p[:, k].mean().item()) / 8
    assert cluster_information(p) == pytest.approx(total, abs=1e-6)
    assert cluster_information(torch.eye(3)) == pytest.approx(math.log(3))
    assert cluster_information(torch.eye(3)[[1, 1]]) == cluster_information(p[:1]) == 0

"""The final table: values beside floors, for real, shifted and wrong input."""

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from scgan.metrics import scores
from scgan.metrics.distributions import share_beyond
from scgan.metrics.meanings import MEANINGS
from scgan.metrics.scores import Score, compare_rows, label_scores, mode_scores

DISTANCES = {"sliced_wasserstein", "energy_distance", "off_support_fraction", "c2st_accuracy"}
FIDELITY = {"density", "coverage", "alpha_precision", "beta_recall"}
STANDARD = {"shape", "trend", "detection_logistic"}
KEYS = {*DISTANCES, *FIDELITY, *STANDARD, "closer_share"}


def score(*rows: torch.Tensor, seed: int) -> dict[str, Score]:
    return dict(compare_rows(*rows, seed=seed))


def normal(num: int, dim: int, seed: int) -> torch.Tensor:
    return torch.randn(num, dim, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def no_classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare a test that is about something else the slowest metric."""
    monkeypatch.setattr(scores, "_c2st", lambda x, y, seed: 0.5)


@pytest.fixture(scope="module")
def real() -> dict[str, Score]:
    return score(normal(2000, 2, 1), normal(16_000, 2, 2), normal(5000, 2, 3), seed=0)


def test_real_samples_score_their_floor(real: dict[str, Score]) -> None:
    assert set(real) == KEYS
    for key in ("sliced_wasserstein", "energy_distance"):
        assert real[key].value / real[key].floor == pytest.approx(1, abs=0.3)
    assert real["c2st_accuracy"].value == pytest.approx(0.5, abs=0.03)
    assert real["c2st_accuracy"].floor == pytest.approx(0.5, abs=0.03)
    assert real["off_support_fraction"].floor == pytest.approx(0.001, abs=0.001)
    assert real["off_support_fraction"].value == pytest.approx(0.001, abs=0.0015)
    assert {key for key in KEYS if real[key].better == "lower"} == {*DISTANCES, "closer_share"}
    assert real["density"].value == pytest.approx(1, abs=0.1)
    assert real["coverage"].value == pytest.approx(1 - 2**-5, abs=0.03)
    for key in (*FIDELITY, *STANDARD, "closer_share"):
        assert real[key].value == pytest.approx(real[key].floor, abs=0.1)
    assert real["beta_recall"].floor == pytest.approx(14 / 29, abs=0.04)
    for key in (*STANDARD, "alpha_precision"):
        assert real[key].floor > 0.94 and real[key].better == "higher"
    assert real["closer_share"].floor == pytest.approx(0.5, abs=0.01)


def test_a_memoriser_is_seen() -> None:
    """Copies of training rows have every distribution right, and are closer than new rows."""
    train, test = normal(4000, 2, 3), normal(8000, 2, 2)
    copied = score(train[:3000], test, train, seed=0)
    assert copied["c2st_accuracy"].value < 0.53 and copied["coverage"].value > 0.9
    assert copied["closer_share"].value == 1 and copied["closer_share"].floor < 0.52


def test_ratio_of_real_samples_is_steady_over_seeds() -> None:
    samples, test = normal(1000, 2, 1), normal(8000, 2, 2)
    ratios = []
    for seed in range(5):
        repeats = list(scores._repeats(samples, test, 1000, torch.Generator().manual_seed(seed)))
        entry = scores._averaged(scores._sliced_wasserstein, repeats, seed)
        ratios.append(entry[0] / entry[1])
    assert max(ratios) - min(ratios) < 0.4


def test_shifted_samples_are_above_the_floor(real: dict[str, Score]) -> None:
    shifted = score(normal(2000, 2, 1) + 3, normal(16_000, 2, 2), normal(5000, 2, 3), seed=0)
    distance = 3 * 2**0.5 * 2 / torch.pi
    assert shifted["sliced_wasserstein"].value == pytest.approx(distance, rel=0.1)
    assert shifted["energy_distance"].value > 20 * shifted["energy_distance"].floor
    assert shifted["c2st_accuracy"].value > 0.95
    assert shifted["off_support_fraction"].value > 0.2
    assert shifted["detection_logistic"].value < 0.01 and shifted["shape"].value < 0.2
    assert shifted["trend"].value > 0.97  # a shift changes no correlation
    # The floor is a matter of the real rows and the seed alone.
    assert {key: entry.floor for key, entry in shifted.items()} == {
        k: entry.floor for k, entry in real.items()
    }


def test_seeded() -> None:
    rows = normal(60, 3, 1), normal(150, 3, 2), normal(100, 3, 3)
    state = torch.get_rng_state()
    first = score(*rows, seed=5)
    assert score(*rows, seed=5) == first
    assert score(*rows, seed=6) != first
    assert torch.equal(torch.get_rng_state(), state)


def test_value_and_floor_meet_the_same_real_part_and_projections() -> None:
    samples, test = normal(50, 2, 1), normal(120, 2, 2)
    repeats = list(scores._repeats(samples, test, 50, torch.Generator().manual_seed(0)))
    swapped = [(b, a, generated) for generated, a, b in repeats]
    entry = scores._averaged(scores._sliced_wasserstein, repeats, 3)
    mirrored = scores._averaged(scores._sliced_wasserstein, swapped, 3)
    assert mirrored == entry[::-1]


def test_parts_are_disjoint_as_far_as_the_rows_go() -> None:
    samples, test = torch.arange(25.0)[:, None], torch.arange(100.0)[:, None]
    repeats = list(scores._repeats(samples, test, 10, torch.Generator().manual_seed(0)))
    assert len(repeats) == 4
    used = torch.cat([torch.cat([a, b]) for _, a, b in repeats])[:, 0]
    assert used.unique().numel() == 80
    first_two = torch.cat([repeats[0][0], repeats[1][0]])[:, 0]
    assert first_two.unique().numel() == 20
    assert all(
        len(generated) == 10 and generated.unique().numel() == 10 for generated, _, _ in repeats
    )


def test_few_test_rows_are_shuffled_anew_but_disjoint_within_a_repeat() -> None:
    repeats = list(
        scores._repeats(torch.zeros(9, 1), torch.arange(21.0)[:, None], 9, torch.Generator())
    )
    for _, a, b in repeats:
        assert torch.cat([a, b]).unique().numel() == 18
    assert len({tuple(a[:, 0].tolist()) for _, a, _ in repeats}) == 4


@pytest.mark.usefixtures("no_classifier")
def test_size_of_a_comparison_is_the_smaller_side(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    monkeypatch.setattr(
        scores, "_sliced_wasserstein", lambda x, y, seed: sizes.append((len(x), len(y))) or 0.0
    )
    monkeypatch.setattr(scores, "NUM_ROWS_MAX", 30)
    for num_samples, num_test in ((100, 100), (12, 100), (100, 41)):
        score(normal(num_samples, 2, 1), normal(num_test, 2, 2), normal(50, 2, 3), seed=0)
    assert set(sizes[:8]) == {(30, 30)}
    assert set(sizes[8:16]) == {(12, 12)}
    assert set(sizes[16:]) == {(20, 20)}
    assert len(sizes) == 24


@pytest.mark.usefixtures("no_classifier")
def test_off_support_exactly() -> None:
    train = torch.zeros(20, 1)
    test = torch.full((40, 1), 0.5)
    samples = torch.cat([torch.full((15, 1), 0.25), torch.full((5, 1), 0.75)])
    entry = score(samples, test, train, seed=0)["off_support_fraction"]
    assert (entry.value, entry.floor, entry.better) == (0.25, 0.0, "lower")


@pytest.mark.usefixtures("no_classifier")
def test_off_support_refers_to_the_first_rows_of_train(monkeypatch: pytest.MonkeyPatch) -> None:
    train = torch.tensor([0.0] * 10 + [9.0] * 10)[:, None]
    samples, test = torch.full((20, 1), 9.0), torch.full((40, 1), 0.5)
    assert score(samples, test, train, seed=0)["off_support_fraction"].value == 0
    monkeypatch.setattr(scores, "NUM_REFERENCE", 10)
    assert score(samples, test, train, seed=0)["off_support_fraction"].value == 1


def test_exact_support_is_the_share_at_density_zero_or_beside_the_rarest_in_a_thousand() -> None:
    on, off = torch.zeros(990), torch.full((10,), -torch.inf)
    entry = scores.exact_support(torch.cat([on, off]), torch.zeros(400))
    assert (entry.value, entry.floor, entry.better) == (0.01, 0.0, "lower")

    log_density = -normal(40_000, 1, 1)[:, 0].square() / 2
    rare = scores.exact_support(log_density[:20_000], log_density[20_000:])
    assert rare.value == pytest.approx(0.001, abs=0.0007)
    assert rare.floor == pytest.approx(0.001, abs=0.0007) and rare.floor != rare.value


def test_off_support_floor_is_of_rows_that_do_not_set_the_threshold() -> None:
    train, test = torch.zeros(1, 1), torch.arange(40.0)[:, None]
    floors = {
        scores._by_halves(share_beyond, *scores._nearest(test, test, train, seed))[1]
        for seed in range(6)
    }
    assert (
        len(floors) > 1
    )  # a half of 20 against its own quantile would have one row beyond it, whatever the seed


@pytest.mark.parametrize("dim", [1, 200])
def test_one_and_many_columns(dim: int) -> None:
    table = score(normal(40, dim, 1), normal(100, dim, 2), normal(60, dim, 3), seed=0)
    assert all(
        torch.tensor([entry.value, entry.floor]).isfinite().all() for entry in table.values()
    )
    assert 0.3 < table["sliced_wasserstein"].value / table["sliced_wasserstein"].floor < 3


def test_scores_are_python_floats_of_any_float_dtype() -> None:
    table = score(
        normal(40, 2, 1).double(),
        normal(60, 2, 2).half(),
        normal(60, 2, 3).requires_grad_(),
        seed=0,
    )
    assert all(
        type(entry.value) is float and type(entry.floor) is float for entry in table.values()
    )


@pytest.mark.parametrize("num_samples,num_test", [(9, 100), (100, 19)])
def test_refuses_too_few_rows(num_samples: int, num_test: int) -> None:
    with pytest.raises(ValueError, match=f"got {num_samples} and {num_test}") as error:
        score(normal(num_samples, 2, 1), normal(num_test, 2, 2), normal(50, 2, 3), seed=0)
    assert "\n" not in str(error.value)


def test_the_fewest_rows_are_enough() -> None:
    assert set(score(normal(10, 2, 1), normal(20, 2, 2), normal(1, 2, 3), seed=0)) == KEYS


def test_refuses_wrong_rows() -> None:
    good = normal(50, 2, 1)
    bad = good.clone()
    bad[3, 1], bad[7, 0] = float("nan"), float("inf")
    with pytest.raises(
        ValueError, match="samples must be finite, got NaN or infinity in 2 of 50 rows"
    ):
        score(bad, good, good, seed=0)
    with pytest.raises(ValueError, match="same columns, got 2, 2 and 3"):
        score(good, good, normal(50, 3, 2), seed=0)
    with pytest.raises(ValueError, match="train must be a non-empty tensor"):
        score(good, good, torch.empty(0, 2), seed=0)


def test_mode_scores_flatten_the_coverage() -> None:
    modes = torch.tensor([[0.0, 0.0], [4.0, 0.0]])
    table = mode_scores(torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.1, 0.0], [2.5, 0.0]]), modes, 0.1)
    assert table["modes_captured"] == Score.of("modes_captured", 1.0)
    assert table["modes_captured"].better == "higher"
    assert table["modes_total"] == Score.of("modes_total", 2.0)
    assert table["modes_total"].better == "none"
    assert table["high_quality_share"] == Score.of("high_quality_share", 0.75)
    assert table["high_quality_share"].better == "higher"
    assert table["modes_kl_divergence"].value == pytest.approx(
        0.75 * 0.4054651 + 0.25 * -0.6931472, abs=1e-6
    )
    assert table["modes_kl_divergence"].better == "lower"
    assert table["modes_total_variation"] == Score.of("modes_total_variation", 0.25)


def test_label_scores_tell_how_much_clusters_say_of_labels() -> None:
    labels = np.array(["gamma"] * 60 + ["hadron"] * 40)
    same = torch.tensor([3] * 60 + [1] * 40)
    told = label_scores(labels, same)
    assert told["label_nmi"].value == pytest.approx(1) and told["label_purity"].value == 1
    assert told["label_purity"].floor == pytest.approx(0.6)
    one = label_scores(labels, torch.zeros(100, dtype=torch.long))
    assert one["label_purity"].floor == pytest.approx(0.6)
    assert one["label_nmi"].value == pytest.approx(0) and one[
        "label_purity"
    ].value == pytest.approx(0.6)


def test_each_score_of_labels_goes_by_its_own_name() -> None:
    """Two clusters that cut one label in half, and two labels in one cluster: all five differ."""
    labels = np.array([0] * 40 + [1] * 40 + [2] * 20)
    k = torch.tensor([0] * 30 + [1] * 10 + [2] * 38 + [0] * 2 + [2] * 20)
    told = {name: score.value for name, score in label_scores(labels, k).items()}
    assert told["label_purity"] == pytest.approx((30 + 10 + 38) / 100)
    assert told["label_hungarian"] == pytest.approx((30 + 38) / 100)
    assert told["label_majority"] == pytest.approx((30 / 40 + 38 / 40 + 1) / 3)
    assert told["label_nmi"] == pytest.approx(normalized_mutual_info_score(labels, k))
    assert told["label_ari"] == pytest.approx(adjusted_rand_score(labels, k))
    floors = {name: score.floor for name, score in label_scores(labels, k).items()}
    assert floors["label_hungarian"] == floors["label_purity"] == pytest.approx(0.4)
    assert floors["label_nmi"] is floors["label_ari"] is floors["label_majority"] is None


def test_modes_have_their_true_weights() -> None:
    modes = torch.tensor([[0.0, 0.0], [4.0, 0.0]])
    rows = torch.cat([torch.zeros(3, 2), torch.tensor([[4.0, 0.0]])])
    true = mode_scores(rows, modes, 0.1, torch.tensor([0.75, 0.25]))["modes_kl_divergence"]
    equal = mode_scores(rows, modes, 0.1)["modes_kl_divergence"]
    assert true.value == pytest.approx(0, abs=1e-6) and equal.value > 0.1


def test_a_scores_label_says_with_what_it_was_measured() -> None:
    plain, of = Score.of("energy_distance", 1.0, 0.5), Score.of("fid_encoder_10k", 2.0)
    assert (plain.label, plain.value, plain.floor) == ("Energy distance", 1.0, 0.5)
    assert (of.label, of.value, of.floor) == ("Fréchet distance (FID), encoder, 10k", 2.0, None)
    longest = Score.of("control_accuracy_worst", 0.5)
    assert longest.label == "Attribute control accuracy, worst"
    assert longest.meaning == "The same of the worst attribute."
    with pytest.raises(KeyError, match="no meaning is written down for the score 'fidelity'"):
        Score.of("fidelity", 1.0)


def test_which_direction_is_better() -> None:
    higher = {
        *("modes_captured", "high_quality_share", "is"),
        *("label_nmi", "label_ari", "label_purity", "label_hungarian", "label_majority"),
        "silhouette",
        *("density", "coverage", "alpha_precision", "beta_recall", "shape", "trend"),
        *("detection_logistic", "detection_xgboost"),
        *("view_information", "constants_kept", "repeats_kept", "within_range"),
        *("control_accuracy", "control_accuracy_worst"),
        *("judge_control_accuracy", "judge_control_accuracy_worst"),
        *("control_balanced", "control_of", "judge_control_balanced", "judge_control_of"),
    }
    told = {name: meaning.better for name, meaning in MEANINGS.items()}
    assert {name for name, better in told.items() if better == "higher"} == higher
    assert {name for name, better in told.items() if better == "none"} == {
        "modes_total",
        "diversity",
        "diversity_worst",
        "view_information_bound",
        "noise_spread",
    }
    against = {name for name, meaning in MEANINGS.items() if meaning.against == "difference"}
    assert against == {
        *("c2st_accuracy", "c2st_network", "closer_share", "dcr_share", "kid"),
        *("mode_kl_mean", "mode_kl_worst"),
    }


def test_the_value_is_of_the_samples_and_the_floor_of_real_rows() -> None:
    repeats = [tuple(torch.full((1, 1), value) for value in (i, 10.0, 100.0 + i)) for i in (1.0, 3)]
    calls = []

    def metric(x: torch.Tensor, y: torch.Tensor, seed: int) -> float:
        calls.append((float(y), seed))
        return float(x)

    assert scores._averaged(metric, repeats, 5) == (2.0, 102.0)
    assert calls == [(10.0, 5), (10.0, 6)] * 2

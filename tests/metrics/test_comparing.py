"""The one rule for better: directions, perfect values, spread over seeds, ties."""

from __future__ import annotations

import pytest

from scgan.metrics.comparing import beats, leaders, shortfall, standard_error


def test_a_shortfall_is_smaller_the_better() -> None:
    assert shortfall("sliced_wasserstein", 0.1) < shortfall("sliced_wasserstein", 0.2)
    assert shortfall("coverage", 0.9) < shortfall("coverage", 0.8)
    assert shortfall("fid_encoder_10k", 3.0) < shortfall("fid_encoder_10k", 4.0)


def test_going_past_what_is_perfect_is_no_better() -> None:
    assert shortfall("c2st_accuracy", 0.48) == pytest.approx(shortfall("c2st_accuracy", 0.52))
    assert shortfall("beta_recall", 0.95) > shortfall("beta_recall", 0.45)
    assert shortfall("density", 1.3) > shortfall("density", 1.1)
    assert shortfall("closer_share", 0.9) > shortfall("closer_share", 0.45)


def test_a_score_that_only_informs_is_refused() -> None:
    with pytest.raises(ValueError, match="modes_total .* only informs"):
        shortfall("modes_total", 8.0)


def test_means_must_differ_by_two_standard_errors() -> None:
    spread = [0.0, 1.0, 2.0]  # standard deviation 1, so errors of a third under the root each
    assert standard_error(spread) == pytest.approx(3**-0.5)
    limit = 2 * (2 / 3) ** 0.5
    further = [value + limit + 0.01 for value in spread]
    nearer = [value + limit - 0.01 for value in spread]
    assert beats("sliced_wasserstein", spread, further)
    assert not beats("sliced_wasserstein", further, spread)
    assert not beats("sliced_wasserstein", spread, nearer)
    assert beats("coverage", further, spread) and not beats("coverage", spread, further)


def test_more_seeds_make_a_small_difference_count() -> None:
    few, many = [0.0, 1.0], [0.0, 1.0] * 20
    assert not beats("energy_distance", few, [v + 0.4 for v in few])
    assert beats("energy_distance", many, [v + 0.4 for v in many])


def test_one_seed_has_no_spread() -> None:
    assert standard_error([0.3]) == 0
    assert beats("shape", [0.9], [0.89]) and not beats("shape", [0.9], [0.9])
    with pytest.raises(ValueError, match="nothing to compare, 0 and 1 values"):
        beats("shape", [], [0.9])


def test_leaders_are_the_best_and_all_that_it_does_not_beat() -> None:
    found = leaders(
        "c2st_accuracy",
        {
            "best": [0.51, 0.53],
            "near": [0.52, 0.54],
            "under": [0.46, 0.48],
            "far": [0.7, 0.71],
            "none": [],
        },
    )
    assert found == {"best", "near", "under"}
    assert leaders("coverage", {"a": [0.9], "b": [0.8]}) == {"a"}
    assert leaders("coverage", {"a": []}) == set()

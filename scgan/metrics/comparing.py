"""The one rule by which one model's score is better than another's, over the seeds of both."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from scgan.metrics.meanings import meaning_of

NUM_ERRORS = 2.0  # standard errors by which means must differ


def shortfall(name: str, value: float) -> float:
    """How far a score is from the best it can be, up to a constant: lower is better.

    Args:
        name: The score's.
        value: Its value.

    Returns:
        The distance to the perfect value where there is one (a C2ST accuracy of 0.48 is no better
        than one of 0.52), else the value, negative where higher is better.

    Raises:
        ValueError: If neither direction of this score is better.
    """
    meaning, _ = meaning_of(name)
    if meaning.better == "none":
        raise ValueError(f"no value of {name} is better than another: it only informs")
    if meaning.perfect is not None:
        return abs(value - meaning.perfect)
    return value if meaning.better == "lower" else -value


def beats(name: str, one: Sequence[float], other: Sequence[float]) -> bool:
    r"""Whether a model's score is better than another's by more than chance.

    .. math:: \bar b - \bar a > 2 \sqrt{s_a^2 / n_a + s_b^2 / n_b}

    with a and b the shortfalls of the two over their seeds, and s their standard deviations. Of a
    single seed the deviation is not known and taken as 0.

    Args:
        name: The score's.
        one: Its values, one a seed.
        other: The other model's.

    Returns:
        Whether ``one`` is better.

    Raises:
        ValueError: If a side has no value, or neither direction is better.
    """
    if not (one and other):
        raise ValueError(f"{name}: nothing to compare, {len(one)} and {len(other)} values")

    a = [shortfall(name, value) for value in one]
    b = [shortfall(name, value) for value in other]
    error = math.hypot(standard_error(a), standard_error(b))
    return statistics.fmean(b) - statistics.fmean(a) > NUM_ERRORS * error


def leaders(name: str, models: Mapping[str, Sequence[float]]) -> set[str]:
    """The model with the best mean score, and all that it does not beat.

    Args:
        name: The score's.
        models: Model to its values, one a seed; those without values are left out.

    Returns:
        Their names; none where no model has a value.

    Raises:
        ValueError: If neither direction is better.
    """
    known = {model: values for model, values in models.items() if values}
    if not known:
        return set()

    def mean_shortfall(model: str) -> float:
        return statistics.fmean(shortfall(name, value) for value in known[model])

    best = min(known, key=mean_shortfall)
    return {model for model in known if not beats(name, known[best], known[model])}


def standard_error(values: Sequence[float]) -> float:
    """Of the mean; 0 for a single value."""
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0

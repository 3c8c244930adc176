"""What a search varies: plain data, the same for every system.

A space maps a setting's dotted key to a domain. A system's file declares one; the words of a
command line change it::

    decoder.lambda_x=loguniform(0.01,10)      another range, or one more setting
    clusters.num_clusters=choice(4,8,16,32)   other choices
    decoder.lambda_x=0.5                      no longer searched: fixed
    "decoder.r1_weight=uniform(0,1) if decoder.adversarial=hinge"   searched only then
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from scgan.config import Settings, leaves, override, suggest

C = TypeVar("C", bound=Settings)

_WORD = re.compile(
    r"(?P<key>[\w.]+)=(?P<kind>[A-Za-z]+)\((?P<args>.*)\)"
    r"(?:\s+if\s+(?P<other>[\w.]+)=(?P<values>\S+))?"
)
KINDS = {"uniform": 2, "loguniform": 2, "int": 2, "logint": 2, "choice": None}
OFF_GRID = 0.3719  # a place within a range that no whole number is at


@dataclass(frozen=True)
class When:
    """A condition: another searched setting has one of these values."""

    key: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both among them.

    Args:
        low: The least.
        high: The largest.
        log: Whether equal ratios are equally likely, instead of equal differences.
        whole: Whether only whole numbers.
        when: Searched only under this condition; always without one.
        start: Where a search starts if the setting's own default is none.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False
    when: When | None = None
    start: float | None = None

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(
                f"the range from {self.low:g} to {self.high:g} is empty; the first must be the "
                "smaller"
            )
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range must begin above 0, not at {self.low:g}")

    def nearest(self, value: Any) -> Any:
        """The value of the range that is nearest; where to start if there is none to be near to."""
        if not isinstance(value, (int, float)):
            value = self.start
        if value is None:
            value = math.sqrt(self.low * self.high) if self.log else (self.low + self.high) / 2

        value = min(max(value, self.low), self.high)
        return round(value) if self.whole else float(value)

    def probes(self) -> tuple[Any, ...]:
        """Values that tell whether a setting takes the whole range."""
        inside = self.low + OFF_GRID * (self.high - self.low)
        return (self.low, self.high) if self.whole else (self.low, inside, self.high)


@dataclass(frozen=True)
class Choice:
    """One of some values.

    Args:
        options: The values: numbers, words, true, false or none.
        when: Searched only under this condition; always without one.
        start: Where a search starts if the setting's own default is none.
    """

    options: tuple[Any, ...]
    when: When | None = None
    start: Any = None

    def __post_init__(self) -> None:
        if not self.options:
            raise ValueError("a choice needs at least one value")

    def nearest(self, value: Any) -> Any:
        """The value itself if it is an option, else the nearest number, else the first option."""
        value = self.start if value is None and None not in self.options else value
        if value in self.options:
            return value

        numbers = [option for option in self.options if isinstance(option, (int, float))]
        if isinstance(value, (int, float)) and numbers:
            return min(numbers, key=lambda option: abs(option - value))
        return self.options[0]

    def probes(self) -> tuple[Any, ...]:
        """Values that tell whether a setting takes all options."""
        return self.options


Domain = Range | Choice
Space = Mapping[str, Domain]


def Float(low: float, high: float, *, log: bool = False, when: When | None = None) -> Range:  # noqa: N802
    """Real numbers from ``low`` to ``high``."""
    return Range(low, high, log, when=when)


def Int(  # noqa: N802
    low: int, high: int, *, log: bool = False, when: When | None = None, start: int | None = None
) -> Range:
    """Whole numbers from ``low`` to ``high``."""
    return Range(low, high, log, whole=True, when=when, start=start)


def change(space: Space, words: Sequence[str], config: C) -> tuple[dict[str, Domain], C]:
    """Narrow or widen a space.

    Args:
        space: What the system declares.
        words: ``KEY=DOMAIN``, ``"KEY=DOMAIN if OTHER=VALUE|VALUE"``, or ``KEY=VALUE``, which fixes
            a setting.
        config: The settings that are not searched.

    Returns:
        The new space, checked, and ``config`` with the settings that were fixed.

    Raises:
        ValueError: In one line, for an unknown key, an empty or reversed range, or values that a
            setting can't take.
    """
    known, changed = [key for key, _ in leaves(config)], dict(space)
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"--space takes KEY=loguniform(0.01,10) and the like, not {word!r}")

        if key not in known:
            raise ValueError(f"unknown setting {key!r}{suggest(key, known)}")

        if "(" in value:
            changed[key] = _domain(word, config)
        else:
            config = override(config, {key: value})
            changed.pop(key, None)

    check(changed, config)
    return changed, config


def check(space: Space, config: Settings) -> None:
    """Refuse a space with a setting that can't take its domain's values.

    Raises:
        ValueError: For the first such setting, or if nothing is searched.
    """
    if not space:
        raise ValueError(
            "nothing is left to search; give --space KEY=loguniform(0.01,10) or another domain"
        )

    for key, domain in space.items():
        for value in domain.probes():
            override(config, {key: value})

        if domain.when is not None:
            other = space.get(domain.when.key)
            if other is None or other.when is not None:
                raise ValueError(
                    f"{key} depends on {domain.when.key}, which must be searched itself, "
                    "unconditionally"
                )


def _domain(word: str, config: Settings) -> Domain:
    match = _WORD.fullmatch(word.strip())
    if match is None or match["kind"] not in KINDS:
        kind = match["kind"] if match else word.partition("=")[2]
        raise ValueError(
            f"don't know {kind!r} in {word!r}{suggest(kind, KINDS)}; write KEY=loguniform(0.01,10)"
        )

    key, kind, other = match["key"], match["kind"], match["other"]
    parts = list(filter(None, map(str.strip, match["args"].split(","))))
    when = When(other, _values(config, other, match["values"].split("|"))) if other else None

    try:
        if kind == "choice":
            return Choice(_values(config, key, parts), when)

        if len(parts) != KINDS[kind]:
            raise ValueError(f"{kind} takes two numbers, the least and the largest")

        whole = "int" in kind
        low, high = _number(parts[0], whole=whole), _number(parts[1], whole=whole)
        return Range(low, high, log=kind.startswith("log"), whole=whole, when=when)
    except ValueError as error:
        raise ValueError(f"{word!r}: {error}") from None


def _number(text: str, *, whole: bool) -> float:
    try:
        number = int(text) if whole else float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no {'whole ' if whole else ''}number") from None
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is not finite")
    return number


def _values(config: Settings, key: str, texts: Sequence[str]) -> tuple[Any, ...]:
    """Texts as the values that the setting takes them for."""
    values: list[Any] = []
    for text in texts:
        values.append(dict(leaves(override(config, {key: text})))[key])
        if not isinstance(values[-1], (str, int, float, bool, type(None))):
            raise ValueError(f"{key} is a list and can't be searched")
    return tuple(values)


def describe(space: Space) -> dict[str, Any]:
    """The space as plain values, by which two spaces are told apart."""
    return {
        key: {"kind": type(domain).__name__, **dataclasses.asdict(domain)}
        for key, domain in sorted(space.items())
    }


def ordered(space: Space) -> list[tuple[str, Domain]]:
    """The domains, those that depend on another after all that don't."""
    return sorted(space.items(), key=lambda item: item[1].when is not None)


def start_point(space: Space, config: Settings) -> dict[str, Any]:
    """The settings' own values, each moved to the nearest in its domain; conditions respected."""
    values = dict(leaves(config))
    point: dict[str, Any] = {}
    for key, domain in ordered(space):
        if domain.when is None or point.get(domain.when.key) in domain.when.values:
            point[key] = domain.nearest(values[key])
    return point


def every_point(space: Space, most: int) -> list[dict[str, Any]]:
    """Every combination of a space of choices and whole numbers; none if more than ``most``."""
    values: dict[str, Sequence[Any]] = {}
    for key, domain in space.items():
        if domain.when is not None:
            return []
        if isinstance(domain, Choice):
            values[key] = domain.options
        elif domain.whole:
            values[key] = range(int(domain.low), int(domain.high) + 1)
        else:
            return []

    if math.prod(map(len, values.values())) > most:
        return []

    return [dict(zip(values, point, strict=True)) for point in itertools.product(*values.values())]

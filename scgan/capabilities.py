"""What a trained model can do beside drawing samples, and what may be chosen when it draws.

A capability is found by ``isinstance``: whoever serves, scores or reports a model asks what it can
do, and never which system it is of.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor
from typing_extensions import override

from scgan.config import suggest

Kind = Literal["table", "images"]
"""What the data is: rows of a table, or images."""


@dataclass(frozen=True)
class Option:
    """Something that can be chosen when sampling: a keyword of the model's ``sample``.

    Args:
        name: The keyword.
        meaning: In a line, what is drawn if it is given, and if it is not.
    """

    name: str
    meaning: str

    scalar: ClassVar[Literal["long", "string"]] = "string"
    """Type of its plain value, in MLflow's word."""
    absent: ClassVar[int | str] = ""
    """The plain value that stands for none given."""

    @property
    def allowed(self) -> str:
        """What may be given, in words."""
        raise NotImplementedError

    def read(self, value: Any) -> Any:
        """Check a value, or the text of one.

        Returns:
            What ``sample`` takes.

        Raises:
            ValueError: In one line, for a value that is not allowed.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class WholeNumber(Option):
    """A number from 0 up to, not including, ``below``."""

    below: int
    scalar = "long"
    absent = -1

    @property
    @override
    def allowed(self) -> str:
        return f"0 to {self.below - 1}"

    @override
    def read(self, value: Any) -> int:
        try:
            number = int(str(value))
        except ValueError:
            raise ValueError(f"{self.name} is {value!r}, but must be {self.allowed}") from None
        if not 0 <= number < self.below:
            raise ValueError(f"{self.name} is {number}, but must be {self.allowed}")
        return number


@dataclass(frozen=True)
class OneOf(Option):
    """One of some words."""

    choices: tuple[str, ...]

    @property
    @override
    def allowed(self) -> str:
        return ", ".join(self.choices)

    @override
    def read(self, value: Any) -> str:
        if value not in self.choices:
            raise ValueError(f"unknown {self.name} {value!r}{suggest(str(value), self.choices)}")
        return str(value)


@dataclass(frozen=True)
class Amounts(Option):
    """A number for each of some names, ``NAME=NUMBER,...`` or a mapping."""

    names: tuple[str, ...]

    named: ClassVar[str]
    """What the names are of."""
    amount: ClassVar[str]
    """What the numbers are, one of them."""
    low: ClassVar[float]
    high: ClassVar[float]
    not_given: ClassVar[float]
    """The number of names that are not given."""

    @property
    @override
    def allowed(self) -> str:
        given = f"NAME={self.amount.upper()},... of {', '.join(self.names)}"
        return f"{given}; {self.amount}s {self.low:g} to {self.high:g}"

    @override
    def read(self, value: Any) -> Tensor:
        pairs = list(value.items()) if isinstance(value, Mapping) else self._pairs(str(value))
        y = torch.full((len(self.names),), self.not_given)  # [A]
        seen = set()

        for name, amount in pairs:
            if name not in self.names:
                raise ValueError(f"unknown {self.named} {name!r}{suggest(name, self.names)}")
            if name in seen:
                raise ValueError(f"{self.name} names {name!r} more than once")
            seen.add(name)
            y[self.names.index(name)] = self._number(name, amount)

        return y

    def _pairs(self, text: str) -> list[tuple[str, str]]:
        pairs = []
        for part in text.split(","):
            name, equals, amount = part.rpartition("=")
            if not equals:
                raise ValueError(f"{self.name}: {part!r} has no {self.amount}; give NAME=0.5,...")
            pairs.append((name, amount))
        return pairs

    def _number(self, name: str, amount: Any) -> float:
        try:
            number = float(amount)
        except (TypeError, ValueError):
            raise ValueError(f"{self.name}: {amount!r} is no number; give NAME=0.5,...") from None
        if not self.low <= number <= self.high:
            span = f"{self.amount}s are {self.low:g} to {self.high:g}"
            raise ValueError(f"{self.name}: {name}={amount} is out of range; {span}")
        return number


@dataclass(frozen=True)
class Degrees(Amounts):
    """How much of each attribute, from 0 to 1; none of those that are not given."""

    named, amount = "attribute", "degree"
    low, high, not_given = 0.0, 1.0, 0.0


@dataclass(frozen=True)
class Coefficients(Amounts):
    """Coordinates of the noise that are chosen, not drawn; NaN for those that are not given."""

    named, amount = "dimension", "coefficient"
    low, high, not_given = -4.0, 4.0, math.nan  # as far as [INFOSCC-GAN]'s code goes


class Model(Protocol):
    """A trained system, on standardised rows or on images in [-1, 1].

    Attributes:
        device: Where it lies.
    """

    device: torch.device

    @property
    def options(self) -> tuple[Option, ...]:
        """What can be chosen when sampling."""

    @property
    def sample(self) -> Callable[..., Tensor]:
        """Draws samples, ``(num, generator, **chosen) -> [num, D]`` or ``[num, C, H, W]``.

        What is chosen are values of its options.
        """


@runtime_checkable
class Clustering(Protocol):
    """A model whose data falls into clusters.

    Attributes:
        counts: Training rows of each cluster, ``[K]``.
        cluster_columns: What else is known of each cluster, K figures by a column's name; a
            ``weight`` among them is each one's share of samples, where that is not its rows'.
    """

    counts: Tensor
    cluster_columns: Mapping[str, Sequence[float]]

    def assign(self, x: Tensor) -> Tensor:
        """Cluster of each row or image, ``[N]``."""


@runtime_checkable
class SoftClustering(Clustering, Protocol):
    """A clustering that knows how sure it is."""

    def probabilities(self, x: Tensor) -> Tensor:
        """Of each cluster given a row or image, ``[N, K]``; the likeliest is what it assigns."""


@runtime_checkable
class Reconstructing(Protocol):
    """A model that decodes what it encodes."""

    def reconstruct(self, x: Tensor) -> Tensor:
        """Rows ``[N, D]`` from their own codes, noise fixed."""


@runtime_checkable
class Encoding(Protocol):
    """A model that has a code of each row or image."""

    def encode(self, x: Tensor) -> Tensor:
        """Codes ``[N, d]``."""


class Names(Protocol):
    """Attributes by name."""

    names: tuple[str, ...]


@runtime_checkable
class Conditional(Protocol):
    """A model of images that have attributes."""

    attributes: Names

    def draw(self, num: int, generator: torch.Generator, **chosen: Any) -> tuple[Tensor, Tensor]:
        """Images ``[num, C, H, W]`` and the attributes ``[num, A]`` that were asked for."""

    def asked(self, y: Tensor) -> Tensor:
        """Attributes ``[N, A]`` as classes ``[N]`` where each has one, else as 0 and 1."""


@runtime_checkable
class Reading(Protocol):
    """A model that reads off images how much they have of each attribute.

    Attributes:
        attributes: Their names.
    """

    attributes: Names

    def degrees(self, x: Tensor) -> Tensor:
        """Of each attribute in images, uint8 or floating point ``[N, C, H, W]``: ``[N, A]``."""


@runtime_checkable
class Measured(Protocol):
    """A model of images that brings networks in whose features its images are compared.

    Attributes:
        extractors: The networks by the word that stands for them, ``encoder``, ``judge``.
    """

    extractors: Mapping[str, Any]


def draws_by_mode(model: Any) -> bool:
    """Whether a model's clusters are modes that it draws with weights of its own."""
    return isinstance(model, Clustering) and "weight" in model.cluster_columns


def choose(model: Model, given: Mapping[str, Any]) -> dict[str, Any]:
    """Check what a caller wants to choose when sampling.

    Args:
        model: The model.
        given: Option's name to its value or text; None for one that is left out.

    Returns:
        Keywords for ``model.sample``.

    Raises:
        ValueError: In one line, for an option that the model doesn't have, or a value that it does
            not allow.
    """
    options = {option.name: option for option in model.options}
    chosen = {}

    for name, value in given.items():
        if value is None:
            continue
        if name not in options:
            known = ", ".join(options) or "no options"
            raise ValueError(f"this model has no {name} to choose; it has {known}")
        chosen[name] = options[name].read(value)

    return chosen


def cluster_probabilities(model: Clustering, x: Tensor) -> Tensor:
    """Probability of each cluster given each row or image, ``[N, K]``.

    Those of a clustering that does not say how sure it is are 1 for its cluster and 0 else.
    """
    if isinstance(model, SoftClustering):
        return model.probabilities(x)
    return F.one_hot(model.assign(x), len(model.counts)).float()


def cluster_table(model: Any) -> dict[str, list[Any]]:
    """The clusters of a model, a row each, as columns; no columns for a model without clusters.

    Returns:
        ``cluster`` (its number), ``rows`` (of training), ``weight`` (in sampling), and what else
        the model knows of each.
    """
    if not isinstance(model, Clustering):
        return {}
    weights = model.counts.double() / model.counts.sum()
    return {
        "cluster": list(range(len(model.counts))),
        "rows": model.counts.tolist(),
        "weight": weights.tolist(),
        **{name: list(values) for name, values in model.cluster_columns.items()},
    }

r"""Columns as functions of others: what is known of them, and how they are computed.

A total, a ratio or a transverse momentum lies on a sheet that no sample of a model meets exactly.
Three forms are linear in the right coordinates,

.. math:: v = c + \sum_i w_i a_i, \qquad v^2 = c + \sum_i w_i a_i^2, \qquad
    \log v = c + \sum_i w_i \log a_i

the others are those of momenta: components, angles, and the invariant mass of some particles,

.. math:: a \cos b, \quad a \sin b, \quad a \sinh b, \quad a \cosh b, \quad
    \operatorname{atan2}(a, b), \quad \operatorname{asinh}(a / b), \quad
    \sqrt{(\textstyle\sum E)^2 - |\textstyle\sum \mathbf p|^2}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Linear = Literal["sum", "squares", "product"]
Form = Literal[
    "sum",
    "squares",
    "product",
    "cosine",
    "sine",
    "sinh",
    "cosh",
    "angle",
    "pseudorapidity",
    "mass",
]

OF_TWO: Mapping[Form, tuple[Callable[[np.ndarray, np.ndarray], np.ndarray], str]] = {
    "cosine": (lambda a, b: a * np.cos(b), "{} · cos({})"),
    "sine": (lambda a, b: a * np.sin(b), "{} · sin({})"),
    "sinh": (lambda a, b: a * np.sinh(b), "{} · sinh({})"),
    "cosh": (lambda a, b: a * np.cosh(b), "{} · cosh({})"),
    "angle": (np.arctan2, "atan2({}, {})"),
    "pseudorapidity": (lambda a, b: np.arcsinh(a / b), "asinh({} / {})"),
}
"""What is computed of two columns, and its formula."""


@dataclass(frozen=True)
class Relation:
    """A column as a function of others.

    Attributes:
        form: Which function.
        sources: Names of the others, none of them computed of this one; of a mass four a particle,
            its energy and momentum.
        weights: One each, of the forms that have them.
        constant: What is added, of the forms that are linear in some coordinates.
    """

    form: Form
    sources: tuple[str, ...]
    weights: tuple[float, ...] = ()
    constant: float = 0.0

    def compute(
        self, columns: Mapping[str, np.ndarray], rest: np.ndarray | float = 0.0
    ) -> np.ndarray:
        """The column's values from the others', in the user's units.

        Args:
            columns: The others, ``[N]``.
            rest: What the others leave of it, ``[N]``, as :meth:`rest` has it.

        Returns:
            float64 ``[N]``.
        """
        return backward(self.form, self._total(columns) + rest)

    def rest(self, values: np.ndarray, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """What the others leave of the column's ``values`` ``[N]``, in the form's coordinates.

        Of an energy and its momentum that is the mass squared.
        """
        return forward(self.form, values.astype(np.float64)) - self._total(columns)

    def _total(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        others = [columns[name].astype(np.float64) for name in self.sources]
        if self.form == "mass":
            energy, *momentum = (sum(others[i::4], np.zeros(1)) for i in range(4))
            return np.sqrt(np.maximum(energy**2 - sum(p**2 for p in momentum), 0))
        if self.form in OF_TWO:
            return OF_TWO[self.form][0](*others)

        total = np.full(len(others[0]), self.constant)
        for values, weight in zip(others, self.weights, strict=True):
            total += weight * forward(self.form, values)
        return total

    def __str__(self) -> str:
        """As a formula."""
        if self.form == "mass":
            return f"mass of ({'), ('.join(', '.join(p) for p in self._particles())})"
        if self.form in OF_TWO:
            return OF_TWO[self.form][1].format(*self.sources)

        pairs = list(zip(self.sources, self.weights, strict=True))
        if self.form == "product":
            factors = [name if weight == 1 else f"{name}^{weight:.6g}" for name, weight in pairs]
            scale = np.exp(self.constant)
            return " · ".join([*([] if scale == 1 else [f"{scale:.6g}"]), *factors])

        power = "²" if self.form == "squares" else ""
        terms = [
            f"{name}{power}" if weight == 1 else f"{weight:.6g} {name}{power}"
            for name, weight in pairs
        ]
        total = " + ".join([*terms, *([f"{self.constant:.6g}"] if self.constant else [])])
        return f"√({total})" if self.form == "squares" else total

    def _particles(self) -> list[tuple[str, ...]]:
        return [self.sources[i : i + 4] for i in range(0, len(self.sources), 4)]

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Relation:
        """Read what :func:`dataclasses.asdict` made, and JSON turned into lists."""
        sources, weights = tuple(plain["sources"]), tuple(plain["weights"])
        return cls(plain["form"], sources, weights, plain["constant"])


def forward(form: Form, values: np.ndarray) -> np.ndarray:
    """Values in the coordinates in which the form is linear, if there are any."""
    if form == "squares":
        return np.square(values)
    return np.log(values) if form == "product" else values


def backward(form: Form, values: np.ndarray) -> np.ndarray:
    """From these coordinates back."""
    if form == "squares":
        return np.sqrt(np.maximum(values, 0))
    return np.exp(values) if form == "product" else values

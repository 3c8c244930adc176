r"""Two-dimensional toy distributions, each with a sampler and its exact density.

Symbols: ``U`` uniform on [0, 1), ``N`` standard normal, ``N2`` a pair of them; other numbers are
part of a definition. Rows are independent draws, also where the original code takes equal parts of
each half or circle in order, so that any number of rows can be asked for and ``log_prob`` is the
law of every row.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from scgan.data.mixture import LOG_2PI, GaussianMixture, Toy


@dataclass(frozen=True)
class Checkerboard(Toy):
    r"""Eight of the sixteen cells of side 2 in [-4, 4)^2, uniformly.

    .. math:: x = 2 (a, b), \quad a = 4U - 2, \quad b = U' - 2 \, \mathrm{Bernoulli}(1/2) + (\lfloor
    a \rfloor \bmod 2)

    so the density is 1/32 where :math:`\lfloor x_1/2 \rfloor + \lfloor x_2/2 \rfloor` is even, and
    0 elsewhere.

    Source: [SURVAE] toy data, CheckerboardDataset.
    """

    @override
    def sample(self, num: int, generator: torch.Generator) -> Tensor:
        uniform = torch.rand(3, num, generator=generator, device=generator.device)
        # float32 rounds the last steps below 1 up into the next cell, where the density is 0.
        uniform[:2].clamp_(max=1 - 2**-22)
        a = 4 * uniform[0] - 2
        b = uniform[1] - 2 * (uniform[2] < 0.5).float() + a.floor().remainder(2)
        return 2 * torch.stack((a, b), dim=1)

    @override
    def log_prob(self, x: Tensor) -> Tensor:
        cell = (x.double() / 2).floor()
        inside = ((cell >= -2) & (cell < 2)).all(1) & (cell.sum(1).remainder(2) == 0)
        return torch.full_like(cell[:, 0], -math.log(32.0)).masked_fill(~inside, -math.inf)


@dataclass(frozen=True)
class TwoSpirals(Toy):
    r"""Two arms, one the mirror image of the other through the origin.

    .. math:: n = 3\pi\sqrt{U}, \quad d = (-n\cos n + U'/2, \; n\sin n + U''/2), \quad x = \pm d/3 +
    0.1\,N2

    Given n the coordinates are independent sums of a uniform and a normal, so the density is the
    one-dimensional integral over n of a product of two closed forms; ``log_prob`` takes it by Gauss
    and Legendre's rule, which 256 nodes bring to within 1e-5 nats on points of the set.

    Source: [SURVAE] toy data, TwoSpiralsDataset. Differs: each row draws its arm, not half of them.
    """

    turn: float = 3 * math.pi
    width: float = 1 / 6  # of the uniform, after the division by 3
    std: float = 0.1
    nodes: int = 256

    @override
    def sample(self, num: int, generator: torch.Generator) -> Tensor:
        device = generator.device
        uniform = torch.rand(num, 4, generator=generator, device=device)
        points = self._arm(self.turn * uniform[:, 0].sqrt()) + self.width * uniform[:, 1:3]
        sign = torch.where(uniform[:, 3:] < 0.5, -1.0, 1.0)
        return sign * points + self.std * torch.randn(num, 2, generator=generator, device=device)

    @override
    def log_prob(self, x: Tensor) -> Tensor:
        nodes, weights = map(torch.from_numpy, np.polynomial.legendre.leggauss(self.nodes))
        nodes, weights = nodes.to(x.device), weights.to(x.device)
        fraction = (nodes + 1) / 2
        arm = self._arm(self.turn * fraction)  # [nodes, 2]
        log_weight = (weights * fraction).log()  # n / turn has density 2t on [0, 1]
        parts = [self._integral(rows, arm, log_weight) for rows in torch.split(x.double(), 1024)]
        return torch.cat(parts)

    @staticmethod
    def _arm(n: Tensor) -> Tensor:
        return torch.stack((-n * n.cos(), n * n.sin()), dim=1) / 3

    def _integral(self, x: Tensor, arm: Tensor, log_weight: Tensor) -> Tensor:
        # The mirrored arm at x is the arm at -x.
        both = torch.stack((x, -x))[:, :, None]  # [2, N, 1, 2]

        # log of (Phi(t / std) - Phi((t - width) / std)) / width, folded to the tail where it loses
        # no digits.
        folded = -((both - arm) - self.width / 2).abs()
        high = torch.special.log_ndtr((folded + self.width / 2) / self.std)
        low = torch.special.log_ndtr((folded - self.width / 2) / self.std)
        log_density = high + torch.log1p(-torch.exp(low - high)) - math.log(self.width)
        joint = torch.logsumexp(log_density.sum(-1) + log_weight, dim=2)  # [2, N]

        return torch.logsumexp(joint, dim=0) - math.log(2)


@dataclass(frozen=True)
class NoisyCurve(Toy):
    r"""A curve over a normal coordinate, with normal noise across it.

    .. math:: t = N, \quad v = f(t) + s N', \quad x = (t, v) \text{ or, flipped, } (v, t)

    Attributes:
        curve: :math:`f`, elementwise.
        std: :math:`s > 0`.
        flip: Whether the curve is a function of the second coordinate.

    Source: [SURVAE] toy data, AbsDataset, SineWaveDataset and CrescentCubedDataset.
    """

    curve: Callable[[Tensor], Tensor]
    std: float
    flip: bool = False

    @override
    def sample(self, num: int, generator: torch.Generator) -> Tensor:
        t, noise = torch.randn(2, num, generator=generator, device=generator.device)
        pair = torch.stack((t, self.curve(t) + self.std * noise), dim=1)
        return pair.flip(1) if self.flip else pair

    @override
    def log_prob(self, x: Tensor) -> Tensor:
        t, v = x.double().flip(1).unbind(1) if self.flip else x.double().unbind(1)
        across = (v - self.curve(t)) / self.std
        return -(t.square() + across.square()) / 2 - LOG_2PI - math.log(self.std)


@dataclass(frozen=True)
class Circles(Toy):
    r"""Circles of one radius about given centres, with normal noise.

    .. math:: x = c_m + r (\cos 2\pi U, \sin 2\pi U) + s\,N2, \qquad
              p(x) = \frac{1}{M} \sum_m \frac{1}{2\pi s^2} e^{-(\rho_m^2 + r^2) / 2s^2} I_0(\rho_m r
              / s^2), \quad \rho_m = \lVert x - c_m \rVert

    Attributes:
        centers: One pair a circle; all equally likely.
        radius: :math:`r`.
        std: :math:`s > 0`.

    Source: [SURVAE] toy data, FourCircles. Differs: each row draws its circle, not a quarter of
        them each.
    """

    centers: tuple[tuple[float, float], ...]
    radius: float
    std: float

    @override
    def sample(self, num: int, generator: torch.Generator) -> Tensor:
        device = generator.device
        k = torch.randint(len(self.centers), (num,), generator=generator, device=device)
        angle = 2 * math.pi * torch.rand(num, generator=generator, device=device)
        direction = torch.stack((angle.cos(), angle.sin()), dim=1)
        points = torch.tensor(self.centers, device=device)[k] + self.radius * direction
        return points + self.std * torch.randn(num, 2, generator=generator, device=device)

    @override
    def log_prob(self, x: Tensor) -> Tensor:
        centers = torch.tensor(self.centers, dtype=torch.float64, device=x.device)
        rho = (x.double()[:, None] - centers).norm(dim=-1)  # [N, M]

        # i0e(a) = exp(-a) I0(a) keeps the Bessel function finite; exp(a) completes the square in
        # the exponent.
        log_bessel = torch.special.i0e(rho * self.radius / self.std**2).log()
        across = ((rho - self.radius) / self.std).square() / 2

        log_sum = torch.logsumexp(log_bessel - across, dim=1)
        return log_sum - LOG_2PI - math.log(self.std**2 * len(self.centers))


@dataclass(frozen=True)
class Moons(Toy):
    r"""Two interleaved half circles of radius 1, with normal noise; each a piece.

    .. math:: x = (\cos t, \sin t) \text{ or } (1 - \cos t, 1/2 - \sin t), \quad t = \pi U,
              \text{ plus } s\,N2

    The density is the mean over both arcs and over t, by Gauss and Legendre's rule.

    Attributes:
        std: :math:`s > 0`. How well clusters can be told apart hangs on it.

    Source: scikit-learn's ``make_moons``. Differs: each row draws its arc and angle.
    """

    std: float
    nodes: int = 256

    @override
    def sample(self, num: int, generator: torch.Generator) -> Tensor:
        return self.sample_labelled(num, generator)[0]

    @override
    def sample_labelled(self, num: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        device = generator.device
        uniform = torch.rand(num, 2, generator=generator, device=device)
        k = (uniform[:, 0] < 0.5).long()
        points = self._arcs(math.pi * uniform[:, 1])[torch.arange(num, device=device), k]
        return points + self.std * torch.randn(num, 2, generator=generator, device=device), k

    @override
    def log_prob(self, x: Tensor) -> Tensor:
        nodes, weights = map(torch.from_numpy, np.polynomial.legendre.leggauss(self.nodes))
        arcs = self._arcs(math.pi * (nodes + 1) / 2).to(x.device)  # [nodes, 2, 2]
        log_weight = (weights / 4).log().to(x.device)[:, None]  # half for each arc
        parts = []
        for rows in x.double().split(1024):
            squared = (rows[:, None, None] - arcs).square().sum(-1)  # [N, nodes, 2]
            terms = log_weight - squared / (2 * self.std**2)
            parts.append(torch.logsumexp(terms.flatten(1), 1) - LOG_2PI - 2 * math.log(self.std))
        return torch.cat(parts)

    @staticmethod
    def _arcs(t: Tensor) -> Tensor:
        """Points at the angles ``[N]`` of the upper and the lower arc, ``[N, 2, 2]``."""
        upper = torch.stack((t.cos(), t.sin()), 1)
        lower = torch.stack((1 - t.cos(), 0.5 - t.sin()), 1)
        return torch.stack((upper, lower), 1)


def _abs(t: Tensor) -> Tensor:
    return t.abs() - 1


def _sine(t: Tensor) -> Tensor:
    return (5 * t).sin()


def _cube(t: Tensor) -> Tensor:
    return 0.2 * t**3


def _ring(radius: float, phase: float) -> tuple[tuple[float, float], ...]:
    angles = [phase + k * math.pi / 4 for k in range(8)]
    return tuple((radius * math.cos(a), radius * math.sin(a)) for a in angles)


def _equal(name: str, centers: tuple[tuple[float, float], ...], std: float) -> GaussianMixture:
    num = len(centers)
    return GaussianMixture(name, centers, (std,) * num, (1 / num,) * num)


_LATTICE = tuple((x, y) for x, y in itertools.product((-4.0, -2.0, 0.0, 2.0, 4.0), repeat=2))
_SETS: tuple[Toy, ...] = (
    # (4 (cos, sin)(pi/8 + k pi/4) + 0.5 N2) / 1.414, with k uniform on 0..7. Source: [SURVAE] toy
    # data, EightGaussians.
    _equal("eight_gaussians", _ring(4 / 1.414, math.pi / 8), 0.5 / 1.414),
    Checkerboard("checkerboard"),
    TwoSpirals("two_spirals"),
    # (t, |t| - 1 + exp(-1.5) N)
    NoisyCurve("abs", _abs, math.exp(-1.5)),
    # (t, sin 5t + exp(-1) N): the first reading of the paper's "sinewaved cube".
    NoisyCurve("sine_wave", _sine, math.exp(-1)),
    NoisyCurve("crescent_cubed", _cube, 1.0, flip=True),  # (0.2 t^3 + N, t): the second reading
    Circles(
        "four_circles", ((-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0)), radius=2.0, std=0.1
    ),
    # At noise .05 the two pieces hardly touch; at .1 no clustering could be perfect.
    Moons("moons", std=0.05),
    # Eight modes on the unit circle, and 25 on a lattice. Source: [VEEGAN] Sec. 4, the synthetic
    # data sets.
    _equal("ring", _ring(1.0, 0.0), 0.01),
    _equal("grid", _LATTICE, 0.05),
    # Our own: ring's modes, weighed 1 : 2 : ... : 8.
    GaussianMixture(
        "unequal_ring", _ring(1.0, 0.0), (0.01,) * 8, tuple(k / 36 for k in range(1, 9))
    ),
    # Weights over a factor of 16 and widths over a factor of 8, the lightest mode neither
    # the widest nor apart.
    GaussianMixture(
        "unequal_mixture",
        centers=((-2.0, -2.0), (2.0, -1.5), (0.0, 0.5), (-2.0, 2.5), (2.5, 2.5)),
        stds=(0.4, 0.2, 0.1, 0.3, 0.05),
        weights=(0.48, 0.25, 0.14, 0.1, 0.03),
    ),
)

TOYS: dict[str, Toy] = {toy.name: toy for toy in _SETS}
"""Every toy set by name."""

_SIX = "eight_gaussians checkerboard two_spirals abs sine_wave four_circles"
PAPER_TOYS: tuple[str, ...] = tuple(_SIX.split())
"""The six sets of [SCGAN] Table 1; ``crescent_cubed`` is another reading of "sinewaved cube"."""

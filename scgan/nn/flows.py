r"""Normalising flows by rational-quadratic splines, K of one shape side by side.

=========  ==============  ========================================================
symbol     shape           meaning
=========  ==============  ========================================================
``v``      ``[K, B, q]``   rows whose density is learnt, a batch a flow
``omega``  ``[K, B, q]``   the same as the flow sees them, N(0, I) when trained
``slope``  ``[K, B]``      log |det d omega / d v|, nats
=========  ==============  ========================================================
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scgan.nn.stacked import StackedMLP

BOUND = 5.0  # splines reach from -5 to 5, standard deviations; beyond, they are the identity
_LEAST = 1e-3  # width, height and slope of a piece, at least
_UNIT_SLOPE = math.log(math.expm1(1 - _LEAST))  # softplus of it and _LEAST: a slope of 1


def spline(x: Tensor, raw: Tensor, *, inverse: bool = False) -> tuple[Tensor, Tensor]:
    r"""Monotone rational-quadratic spline of ``[-BOUND, BOUND]`` onto itself, else the identity.

    With :math:`\xi` the place within a piece of width :math:`w`, height :math:`h` and slopes
    :math:`\delta_0, \delta_1` at its ends, and :math:`s = h / w`,

    .. math:: y = y_0 + h\, \frac{s \xi^2 + \delta_0 \xi (1 - \xi)}
              {s + (\delta_0 + \delta_1 - 2 s)\, \xi (1 - \xi)}

    Args:
        x: Where, any shape ``[...]``.
        raw: What shapes each spline, ``[3 b - 1, ...]`` for b pieces: their widths, their heights
            and the slopes between them, all before they are made positive. Zeros: the identity.
        inverse: Whether to go back, from y to x.

    Returns:
        The value, and the logarithm of the slope there, ``[...]`` both.

    Source: [SPLINE-FLOW] Eqs. (4) to (8).
    """
    num = (len(raw) + 1) // 3
    widths, heights, slopes = raw.split([num, num, num - 1])
    ends = torch.ones_like(raw[:1])
    slopes = torch.cat([ends, _LEAST + F.softplus(slopes + _UNIT_SLOPE), ends])
    knots_x, knots_y = _knots(widths), _knots(heights)

    # The piece that each value lies in, its lower end and its upper.
    inside = (x > -BOUND) & (x < BOUND)
    place = torch.where(inside, x, 0.0)
    piece = (place >= (knots_y if inverse else knots_x)[1:-1]).sum(0)
    both = torch.stack([piece, piece + 1])
    (x0, x1), (y0, y1), (d0, d1) = (t.gather(0, both) for t in (knots_x, knots_y, slopes))
    w, h = x1 - x0, y1 - y0
    s = h / w
    bend = d0 + d1 - 2 * s

    # Back, xi is the root of a quadratic equation in [0, 1].
    if inverse:
        rise = place - y0
        a, b, c = h * (s - d0) + rise * bend, h * d0 - rise * bend, -s * rise
        xi = 2 * c / (-b - (b.square() - 4 * a * c).clamp_min(0).sqrt())
        value = x0 + xi * w
    else:
        xi = (place - x0) / w
        value = y0 + h * (s * xi.square() + d0 * xi * (1 - xi)) / (s + bend * xi * (1 - xi))

    between = xi * (1 - xi)
    rate = d1 * xi.square() + 2 * s * between + d0 * (1 - xi).square()
    slope = (s.square() * rate / (s + bend * between).square()).log()
    value, slope = torch.where(inside, value, x), torch.where(inside, slope, 0.0)

    return value, -slope if inverse else slope


def _knots(raw: Tensor) -> Tensor:
    """Ends of the pieces, ``[b + 1, ...]`` from -BOUND to BOUND, from shares before a softmax."""
    num = len(raw)
    shares = _LEAST + (1 - _LEAST * num) * raw.softmax(0)
    edge = torch.full_like(raw[:1], BOUND)
    return torch.cat([-edge, 2 * BOUND * shares.cumsum(0)[:-1] - BOUND, edge])


def halves(dim: int, num: int) -> list[tuple[list[int], list[int]]]:
    """Which coordinates each coupling layer keeps, and which it changes given those.

    Two layers in turn go by one binary digit of a coordinate's number: after two for each digit,
    every coordinate has been changed given every other.

    Args:
        dim: q, at least 2.
        num: Layers.

    Returns:
        ``(kept, changed)`` a layer.

    Source: [I-FLOW], its masks by binary digits.
    """
    digits = (dim - 1).bit_length()
    found = []
    for layer in range(num):
        digit, wanted = layer // 2 % digits, layer % 2
        kept = [i for i in range(dim) if (i >> digit) % 2 == wanted]
        found.append((kept, [i for i in range(dim) if i not in kept]))
    return found


class SplineFlows(nn.Module):
    r"""K normalising flows: a spline of each coordinate, then couplings of one half by the other.

    A new flow is the identity, so that its density is at first N(0, I).

    .. math:: \log p(v) = \log \mathcal{N}(\omega(v); 0, I)
              + \log \left| \det \frac{\partial \omega}{\partial v} \right|

    Args:
        dim: q.
        num_couplings: Coupling layers; of one coordinate there are none.
        num_pieces: Pieces of a spline.
        width: Units of a hidden layer of the couplings' networks.
        num_layers: Hidden layers of each.
        generators: One a flow, for its initial weights.

    Source: [SPLINE-FLOW] Sec. 3, which [SCGAN] Sec. 2.2 names as the other way to map a cluster.
    """

    def __init__(
        self,
        dim: int,
        *,
        num_couplings: int,
        num_pieces: int,
        width: int,
        num_layers: int,
        generators: Sequence[torch.Generator],
    ) -> None:
        super().__init__()
        self.dim, self.num_raw = dim, 3 * num_pieces - 1
        self.halves = halves(dim, num_couplings) if dim > 1 else []
        self.margins = nn.Parameter(torch.zeros(len(generators), 1, dim * self.num_raw))
        self.couplings = nn.ModuleList(
            StackedMLP(
                [len(kept), *[width] * num_layers, len(changed) * self.num_raw],
                generators,
                last_gain=0.0,
            )
            for kept, changed in self.halves
        )

    def forward(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """To omega, ``[K, B, q]``, and the logarithm of the determinant, ``[K, B]``."""
        omega, slope = spline(v, self._margins(v, None))
        total = slope.sum(-1)

        for network, (kept, changed) in zip(self.couplings, self.halves, strict=True):
            raw = network(omega[..., kept])
            moved, slope = spline(omega[..., changed], self._split(raw))
            omega = _joined(omega, moved, changed)
            total = total + slope.sum(-1)

        return omega, total

    def inverse(self, omega: Tensor, which: Tensor | None = None) -> Tensor:
        """Back to v: flow t of the K, or flow ``which[t]``, of ``omega[t]``."""
        v = omega
        for network, (kept, changed) in zip(
            reversed(list(self.couplings)), reversed(self.halves), strict=True
        ):
            raw = network(v[..., kept], which)
            moved, _ = spline(v[..., changed], self._split(raw), inverse=True)
            v = _joined(v, moved, changed)

        return spline(v, self._margins(v, which), inverse=True)[0]

    def _margins(self, v: Tensor, which: Tensor | None) -> Tensor:
        margins: Tensor = self.margins
        raw = self._split(margins if which is None else margins[which])
        return raw.expand(-1, *v.shape)

    def _split(self, raw: Tensor) -> Tensor:
        """What shapes the splines, first: ``[3 b - 1, K, B, q]`` of a network's output."""
        return raw.unflatten(-1, (self.num_raw, -1)).movedim(-2, 0).contiguous()


def _joined(rows: Tensor, moved: Tensor, changed: Sequence[int]) -> Tensor:
    """Rows ``[K, B, q]`` with the columns ``changed`` replaced."""
    columns = list(rows.unbind(-1))
    for column, number in zip(moved.unbind(-1), changed, strict=True):
        columns[number] = column
    return torch.stack(columns, -1)

"""Mode coverage of a mixture whose modes are known, and of images that are combinations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

HIGH_QUALITY_RADIUS = 3.0  # standard deviations; VEEGAN's rule for its two-dimensional sets
NUM_SAMPLES = 2_500  # that VEEGAN counts
NUM_STACKED = 26_000  # of stacked images
_CHUNK_ELEMENTS = 4_000_000


@dataclass(frozen=True)
class ModeCoverage:
    """How a sample covers the modes of a mixture.

    Attributes:
        num_modes: Number of modes of the mixture.
        num_captured: Modes that are nearest to at least one high-quality sample.
        high_quality_share: Share of samples near their nearest mode, in [0, 1]: within 3 standard
            deviations, in more than two dimensions within :func:`high_quality_radius`.
        kl_divergence: KL(samples' histogram over nearest modes || true weights), in nats, 0 or
            more.
        total_variation: Half the sum of the differences between the two, in [0, 1].
    """

    num_modes: int
    num_captured: int
    high_quality_share: float
    kl_divergence: float
    total_variation: float


def high_quality_radius(dim: int) -> float:
    """Standard deviations from a mode within which a sample is of high quality.

    3 in up to two dimensions; in more the distance within which a normal of that dimension has
    what one of two dimensions has within 3, 98.9 %: in 32 nothing is within 3.

    Source: [VEEGAN] Sec. 4, of two dimensions.
    """
    from scipy.stats import chi

    if dim <= 2:
        return HIGH_QUALITY_RADIUS
    return float(chi.ppf(chi.cdf(HIGH_QUALITY_RADIUS, 2), dim))


def mode_coverage(
    samples: Tensor, modes: Tensor, mode_std: float | Tensor, weights: Tensor | None = None
) -> ModeCoverage:
    """Count the modes that a sample reaches, in raw data units.

    A sample belongs to its nearest mode, ``k = argmin_k |x - m_k| / s_k``, and is of high quality
    where that distance is below :func:`high_quality_radius`. A mode is captured once it is nearest
    to one high-quality sample. With p the shares of all samples by nearest mode the divergence is
    ``sum_k p_k ln(p_k / w_k)``, the total variation ``sum_k |p_k - w_k| / 2``.

    Args:
        samples: Generated rows in raw data units, ``[N, D]``.
        modes: Centres of the modes in raw data units, ``[K, D]``.
        mode_std: Standard deviation of a mode, positive: one for all, or one a mode, ``[K]``.
        weights: True weights of the modes, ``[K]``, positive, normalised here; None for equal ones.

    Returns:
        The counts, the share, the divergence in nats and the total variation.

    Raises:
        ValueError: If the shapes don't go together, or a standard deviation or weight is not
            positive.

    Source: [VEEGAN] Sec. 4 (captured modes, high-quality samples, divergence).
        Differs: with unequal standard deviations "nearest" is in units of the mode's own; the
        radius grows with the dimension.
    """
    matrices = samples.ndim == modes.ndim == 2
    if not matrices or samples.shape[1] != modes.shape[1] or not (len(samples) and len(modes)):
        raise ValueError(
            "need samples [N, D] and modes [K, D] with equal D, "
            f"got {tuple(samples.shape)} and {tuple(modes.shape)}"
        )

    samples, modes = (rows.detach().to("cpu", torch.float64) for rows in (samples, modes))
    std = _one_a_mode("mode_std", mode_std, len(modes))
    true_shares = _one_a_mode("weights", 1.0 if weights is None else weights, len(modes))

    distance, nearest = _scaled_distance_to_nearest(samples, modes, std)
    high_quality = distance < high_quality_radius(modes.shape[1])
    shares = torch.bincount(nearest, minlength=len(modes)).double() / len(samples)
    true_shares = true_shares / true_shares.sum()

    return ModeCoverage(
        num_modes=len(modes),
        num_captured=nearest[high_quality].unique().numel(),
        high_quality_share=float(high_quality.double().mean()),
        kl_divergence=_kl_divergence(shares, true_shares),
        total_variation=float((shares - true_shares).abs().sum()) / 2,
    )


class ClassCoverage(NamedTuple):
    """How images whose channels are digits, say, cover the combinations of their classes.

    Args:
        num_modes: Combinations that there are, K.
        num_captured: Those that occur.
        kl_divergence: KL(their shares || 1 / K), in nats; 0 to ``log K``.
    """

    num_modes: int
    num_captured: int
    kl_divergence: float


def class_coverage(classes: Tensor, num_classes: int) -> ClassCoverage:
    r"""Count the combinations of classes, of which each is a mode, equally frequent in the data.

    .. math:: \sum_k p_k \ln(K p_k), \quad K = C^S

    Args:
        classes: Class of each channel of each image, integers in [0, C), ``[N, S]``.
        num_classes: C.

    Raises:
        ValueError: If there is no image, or a class that is not there.

    Source: [VEEGAN] Sec. 4 (stacked MNIST: ten classes, three channels, 26,000 images).
    """
    if classes.ndim != 2 or not classes.numel():
        raise ValueError(f"need classes [N, S] of an image or more, got {tuple(classes.shape)}")
    if int(classes.min()) < 0 or int(classes.max()) >= num_classes:
        raise ValueError(f"classes must be 0 to {num_classes - 1}")

    num_modes = num_classes ** classes.shape[1]
    places = num_classes ** torch.arange(classes.shape[1])
    counts = torch.bincount(classes.cpu() @ places, minlength=num_modes)
    shares = counts.double() / len(classes)
    uniform = torch.full_like(shares, 1 / num_modes)
    return ClassCoverage(num_modes, int((counts > 0).sum()), _kl_divergence(shares, uniform))


def _one_a_mode(name: str, values: float | Tensor, num_modes: int) -> Tensor:
    spread = torch.as_tensor(values).detach().to("cpu", torch.float64)
    positive = bool((spread > 0).all() and spread.isfinite().all())
    if not positive or spread.shape not in ((), (num_modes,)):
        raise ValueError(
            f"{name} must be positive, one number or one for each of the {num_modes} modes, "
            f"got {values if spread.ndim == 0 else tuple(spread.shape)}"
        )

    return spread.expand(num_modes)


def _scaled_distance_to_nearest(
    samples: Tensor, modes: Tensor, std: Tensor
) -> tuple[Tensor, Tensor]:
    """Distance to the nearest mode in its standard deviations, and that mode's index, ``[N]``."""
    distances, indices = [], []
    for chunk in samples.split(max(1, _CHUNK_ELEMENTS // len(modes))):
        gaps = torch.cdist(chunk, modes, compute_mode="donot_use_mm_for_euclid_dist")  # [n, K]
        distance, index = (gaps / std).min(dim=1)
        distances.append(distance)
        indices.append(index)

    return torch.cat(distances), torch.cat(indices)


def _kl_divergence(shares: Tensor, true_shares: Tensor) -> float:
    terms = torch.special.xlogy(shares, shares / true_shares)  # an empty mode adds 0, not NaN
    return max(0.0, float(terms.sum()))

"""Augmentation of image batches: two views for the encoder, DiffAugment for the discriminator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ViewName = Literal["simclr", "affine"]
"""Views: crops and colours of photographs, or small affine maps and noise of grey symbols."""

AugmentName = Literal["color", "translation", "cutout"]


class Views(nn.Module):
    """Random views of images.

    Args:
        name: ``"simclr"``: crop, flip, colour jitter, grey, blur; ``"affine"``: rotation, scale,
            shear, shift and a little noise.
        size: Pixels a side.

    Source: [SIMCLR] App. A.
    """

    NOISE_STD = 0.1  # of "affine", on the scale of [-1, 1]

    def __init__(self, name: ViewName, size: int) -> None:
        super().__init__()
        self.noise_std = self.NOISE_STD if name == "affine" else 0.0
        self.augment = _simclr(size) if name == "simclr" else _affine()

    @torch.no_grad()
    def forward(self, x: Tensor, seed: int) -> Tensor:
        """A view of each image, ``[B, C, H, W]`` in [-1, 1] as given; one for one seed."""
        # kornia draws from the global generator.
        with torch.random.fork_rng([x.device] if x.is_cuda else []):
            torch.manual_seed(seed)
            view = self.augment((x + 1) / 2) * 2 - 1
            if self.noise_std:
                view = view + self.noise_std * torch.randn_like(view)
        return view.clamp(-1, 1)


def _simclr(size: int) -> Any:
    import kornia.augmentation as K

    kernel = 2 * int(0.05 * size) + 1  # the tenth of the image that SimCLR blurs with
    return K.AugmentationSequential(
        K.RandomResizedCrop((size, size), scale=(0.08, 1.0)),
        K.RandomHorizontalFlip(),
        K.ColorJitter(0.8, 0.8, 0.8, 0.2, p=0.8),
        K.RandomGrayscale(p=0.2),
        *([K.RandomGaussianBlur((kernel, kernel), (0.1, 2.0), p=0.5)] if kernel > 1 else []),
    )


def _affine() -> Any:
    import kornia.augmentation as K

    return K.RandomAffine(
        degrees=15.0, translate=(0.05, 0.05), scale=(0.7, 1.3, 0.7, 1.3), shear=5.0, p=1.0
    )


class DiffAugment:
    """Random augmentation of what a discriminator sees, real or generated; gradients pass.

    Args:
        kinds: Which; none leaves images alone.
        probability: Of each kind, decided once a batch.

    Source: [DIFFAUGMENT] Sec. 3.2. Differs: each kind is left out at random, as in the code of
        [INFOSCC-GAN].
    """

    DRAWS = 7  # uniform numbers an image

    def __init__(self, kinds: Sequence[AugmentName], probability: float) -> None:
        self.kinds, self.probability = tuple(kinds), probability

    def draw(
        self, num: int, deciding: torch.Generator, generator: torch.Generator
    ) -> tuple[Tensor, ...]:
        """What is done to a batch.

        Args:
            num: Images of it.
            deciding: Draws which kinds; on the CPU, as a decision that lies on a GPU is waited for.
            generator: Draws how, where the images are.

        Returns:
            Which kinds, ``[len(kinds)]``, and how for each image, ``[num, 7]``; nothing without
            kinds.
        """
        if not self.kinds:
            return ()
        which = torch.rand(len(self.kinds), generator=deciding)
        return which, torch.rand(num, self.DRAWS, generator=generator, device=generator.device)

    def __call__(self, x: Tensor, draws: tuple[Tensor, ...]) -> Tensor:
        """Augment ``[B, C, H, W]`` in [-1, 1] by what :meth:`draw` gave for them."""
        if not self.kinds:
            return x
        which, numbers = draws
        for kind, chance in zip(self.kinds, which.tolist(), strict=True):
            if chance < self.probability:
                x = _KINDS[kind](x, numbers)
        return x


AFFINE_MOST = (0.35, 0.25, 0.2, 0.3, 0.12, 0.12)  # radians, shares; shifts of half the side
AFFINE_DRAWS = len(AFFINE_MOST)  # uniform numbers an image


def affine_views(x: Tensor, draws: Tensor, strength: float) -> Tensor:
    """Turn, scale, stretch, shear and shift each image.

    Unlike in :class:`Views`, gradients pass, and the caller draws the numbers.

    Args:
        x: ``[B, C, H, W]`` in [-1, 1].
        draws: How, uniform in [0, 1], ``[B, 6]``; a half each leaves the image as it is.
        strength: 1 for 20 degrees, scales within a quarter, stretched by a fifth, sheared by 0.3
            and shifted by 6 % of the image at most.

    Returns:
        The views, what comes in being -1.
    """
    turn, scale, stretch, shear, right, down = (
        (strength * most * (2 * draws[:, i] - 1)) for i, most in enumerate(AFFINE_MOST)
    )
    scale, stretch = 1 + scale, 1 + stretch
    first = [scale * turn.cos(), scale * (shear - turn.sin()), right]
    second = [scale * stretch * turn.sin(), scale * stretch * turn.cos(), down]
    maps = torch.stack([torch.stack(first, 1), torch.stack(second, 1)], 1)  # [B, 2, 3]
    grid = F.affine_grid(maps, list(x.shape), align_corners=False)
    return F.grid_sample(x + 1, grid, align_corners=False) - 1


def _color(x: Tensor, draws: Tensor) -> Tensor:
    brightness, saturation, contrast = draws[:, :3, None, None, None].unbind(1)
    x = x + brightness - 0.5
    grey = x.mean(1, keepdim=True)
    x = (x - grey) * (2 * saturation) + grey
    mean = x.mean((1, 2, 3), keepdim=True)
    return (x - mean) * (0.5 + contrast) + mean


def _translation(x: Tensor, draws: Tensor) -> Tensor:
    """Shift by up to an eighth of the image, zeros coming in."""
    size = x.shape[-1]
    most = size // 8
    shifts = (draws[:, 3:5] * (2 * most + 1)).long() - most  # [B, 2]
    places = torch.arange(size, device=x.device) + most - shifts[:, :, None]  # [B, 2, size]
    padded = F.pad(x, (most,) * 4)
    rows = places[:, 0, None, :, None].expand(-1, x.shape[1], -1, padded.shape[-1])
    columns = places[:, 1, None, None, :].expand(-1, x.shape[1], size, -1)
    return padded.gather(2, rows).gather(3, columns)


def _cutout(x: Tensor, draws: Tensor) -> Tensor:
    """Blank a square of half the image's side, its centre anywhere."""
    size = x.shape[-1]
    centres = (draws[:, 5:7] * (size + 1)).long()  # [B, 2]
    places = torch.arange(size, device=x.device) - centres[:, :, None] + size // 4
    inside = (places >= 0) & (places < size // 2)  # [B, 2, size]
    hole = inside[:, 0, :, None] & inside[:, 1, None, :]  # [B, H, W]
    return x * ~hole[:, None]


_KINDS = {"color": _color, "translation": _translation, "cutout": _cutout}

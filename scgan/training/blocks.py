"""Random numbers of many steps drawn at once, reproducible at any step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import torch

T = TypeVar("T")


class Blocks(Generic[T]):
    """What ``length`` consecutive steps draw, made in one go.

    Block ``b`` is drawn from generators seeded by ``(seed, b)``, so that a fit that is taken up in
    the middle of a block redraws the same numbers, and nothing has to be saved.

    Args:
        draw: Makes a block from one generator a seed.
        seeds: Seeds; one a unit that must not depend on its neighbours.
        length: Steps a block.
        device: Of the generators.

    Attributes:
        number: The block that was drawn last, or is being drawn.
    """

    def __init__(
        self,
        draw: Callable[[Sequence[torch.Generator]], T],
        seeds: Sequence[int],
        length: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.draw, self.seeds, self.length = draw, seeds, length
        self.generators = [torch.Generator(device) for _ in seeds]
        self.number = -1
        self.block: T

    def at(self, step: int) -> tuple[T, int]:
        """The block that holds ``step``, and the step's place in it."""
        number, place = divmod(step, self.length)
        if number != self.number:
            self.number = number
            for generator, seed in zip(self.generators, self.seeds, strict=True):
                generator.manual_seed((seed + 0x9E3779B97F4A7C15 * number) % 2**63)
            self.block = self.draw(self.generators)
        return self.block, place

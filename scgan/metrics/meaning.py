"""How a score is read: what is written down of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["lower", "higher", "none"]
Against = Literal["ratio", "difference"]


@dataclass(frozen=True)
class Meaning:
    """How a score is read.

    Args:
        label: For a table.
        text: What it says, in plain words.
        better: Which direction is better; "none" for a figure that only informs.
        against: How it is compared with its floor.
        perfect: The value of a perfect generator, where going past it is no better.
    """

    label: str
    text: str
    better: Better = "lower"
    against: Against = "ratio"
    perfect: float | None = None

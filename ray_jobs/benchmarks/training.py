"""How a peer of a race is trained: for a budget of process time, the best weights kept."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from typing_extensions import override

HELD_OUT = 0.1  # of the rows, by which the best weights, or the number of components, are chosen
NUM_CHECKS = 50  # looks at the held-out rows in a training
NUM_CHECKED = 5_000  # held-out rows of a look
CHUNK_ROWS = 65_536  # samples drawn at once


class Clock:
    """Process time against a budget.

    Args:
        seconds: The budget.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds, self.start = seconds, time.process_time()

    @property
    def spent(self) -> float:
        """Seconds of this process's CPU so far."""
        return time.process_time() - self.start

    @property
    def share(self) -> float:
        """Share of the budget that is spent, at most 1."""
        return min(1.0, self.spent / self.seconds)


class Peer(ABC):
    """A generative model of standardised rows.

    Attributes:
        num_parameters: Numbers that were fitted; 0 before.
    """

    num_parameters: int = 0

    @abstractmethod
    def fit(self, x: Tensor, seconds: float, seed: int) -> None:
        """Train on rows ``[N, D]`` for so many seconds of process time."""

    @abstractmethod
    def sample(self, num: int, seed: int) -> Tensor:
        """Draw rows ``[num, D]``."""


class Trained(Peer):
    """A network that is trained by gradients of a loss over rows: Adam, cosine, averaged weights.

    Attributes:
        batch_size: Rows a step.
        learning_rate: At the start; it falls to 0 by the share of the budget that is spent.
        averaging: Decay of the average of the weights, a step, once it has begun.
    """

    batch_size = 512
    learning_rate = 1e-3
    averaging = 0.999

    @abstractmethod
    def build(self, x: Tensor) -> nn.Module:
        """The network for rows ``[N, D]``."""

    @abstractmethod
    def loss(self, network: Any, x: Tensor) -> Tensor:
        """Mean loss of rows; what it draws, it draws of torch's own generator."""

    @abstractmethod
    def draw(self, network: Any, num: int) -> Tensor:
        """Rows of the trained network; likewise."""

    @override
    def fit(self, x: Tensor, seconds: float, seed: int) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.dim = x.shape[1]
            network = self.build(x)
            self.num_parameters = sum(p.numel() for p in network.parameters())
            self.network = self._train(network, x[torch.randperm(len(x))], seconds).eval()

    def _train(self, network: nn.Module, x: Tensor, seconds: float) -> nn.Module:
        num_held = max(1, round(HELD_OUT * len(x)))
        held, x = x[:num_held][:NUM_CHECKED], x[num_held:]
        average = AveragedModel(network, avg_fn=self._averaged)
        optimizer = torch.optim.Adam(network.parameters(), self.learning_rate)

        best, kept, checks = math.inf, _weights(average.module), 0
        clock = Clock(seconds)  # what the optimizer imports is not the budget's
        while clock.share < 1:
            optimizer.param_groups[0]["lr"] = self.learning_rate * _cosine(clock.share)
            loss = self.loss(network, x[torch.randint(len(x), (self.batch_size,))])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            average.update_parameters(network)

            if clock.share * NUM_CHECKS >= checks + 1:
                checks += 1
                value = self._check(average.module, held)
                if value < best:
                    best, kept = value, _weights(average.module)

        network.load_state_dict(kept)
        return network

    def _averaged(self, average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        # Shorter at first, so that it forgets the start.
        keep = min(self.averaging, (1 + int(count)) / (10 + int(count)))
        return average.lerp(current, 1 - keep)

    @torch.no_grad()
    def _check(self, network: nn.Module, held: Tensor) -> float:
        """The loss of held-out rows, with the same draws every time."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return float(self.loss(network.eval(), held))

    @override
    @torch.no_grad()
    def sample(self, num: int, seed: int) -> Tensor:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            starts = range(0, num, CHUNK_ROWS)
            parts = [self.draw(self.network, min(CHUNK_ROWS, num - start)) for start in starts]
        return torch.cat(parts)


def _weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def _cosine(done: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * done))

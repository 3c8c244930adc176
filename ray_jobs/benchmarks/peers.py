"""What SC-GAN races against: models that people would reach for, each with settings of its authors.

All train on one thread until a budget of process time is spent, keep the weights that were best on
a tenth of the rows, and draw from a seed.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
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
    def build(self, dim: int) -> nn.Module:
        """The network for rows of so many columns."""

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
            network = self.build(self.dim)
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


class SplineFlow(Trained):
    """A neural spline flow, autoregressive, of five transforms, by zuko.

    Durkan, Bekasov, Murray, Papamakarios (2019), "Neural spline flows": 8 bins, Adam with 5e-4 and
    a cosine; five transforms of two hidden layers are what zuko's tutorials take.
    """

    learning_rate = 5e-4

    @override
    def build(self, dim: int) -> nn.Module:
        import zuko

        flow: nn.Module = zuko.flows.NSF(dim, transforms=5, bins=8, hidden_features=(128, 128))
        return flow

    @override
    def loss(self, network: Any, x: Tensor) -> Tensor:
        log_prob: Tensor = network().log_prob(x)
        return -log_prob.mean()

    @override
    def draw(self, network: Any, num: int) -> Tensor:
        rows: Tensor = network().sample((num,))
        return rows


class Velocity(nn.Module):
    """The velocity of a row at a time: three layers of 256, the time as sines and cosines.

    Args:
        dim: Columns.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", math.pi * 2.0 ** torch.arange(4))
        layers: list[nn.Module] = []
        for width in (dim + 8, 256, 256):
            layers += [nn.Linear(width, 256), nn.SiLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(256, dim))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Velocity ``[N, D]`` of rows ``[N, D]`` at times ``[N, 1]`` in [0, 1]."""
        angles = t * self.frequencies
        out: Tensor = self.layers(torch.cat([x, angles.sin(), angles.cos()], 1))
        return out


class FlowMatching(Trained):
    """Flow matching along straight lines from a normal, drawn by 100 evaluations.

    Lipman, Chen, Ben-Hamu, Nickel, Le (2023), "Flow matching for generative modeling", with sigma 0
    at the data, as torchcfm's ``ConditionalFlowMatcher``.
    """

    num_steps = 50  # of the midpoint rule, two evaluations each

    @override
    def build(self, dim: int) -> nn.Module:
        return Velocity(dim)

    @override
    def loss(self, network: Any, x: Tensor) -> Tensor:
        noise, t = torch.randn_like(x), torch.rand(len(x), 1)
        velocity: Tensor = network(noise + t * (x - noise), t)
        return (velocity - (x - noise)).square().mean()

    @override
    def draw(self, network: Any, num: int) -> Tensor:
        x, step = torch.randn(num, self.dim), 1 / self.num_steps
        for number in range(self.num_steps):
            t = torch.full((num, 1), number * step)
            half = x + step / 2 * network(x, t)
            x = x + step * network(half, t + step / 2)
        return x


class VAE(Trained):
    """A variational autoencoder of tables, TVAE without its transform of columns.

    Xu, Skoularidou, Cuesta-Infante, Veeramachaneni (2019), "Modeling tabular data using conditional
    GAN": 128 latent dimensions, two layers of 128, a deviation a column learnt, the reconstruction
    counted twice.
    """

    latent = 128

    @override
    def build(self, dim: int) -> nn.Module:
        def layers(first: int, last: int) -> nn.Module:
            hidden = (nn.Linear(first, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU())
            return nn.Sequential(*hidden, nn.Linear(128, last))

        parts = {"encoder": layers(dim, 2 * self.latent), "decoder": layers(self.latent, dim)}
        network = nn.ModuleDict(parts)
        network.log_sigma = nn.Parameter(torch.full((dim,), -2.0))
        return network

    @override
    def loss(self, network: Any, x: Tensor) -> Tensor:
        mean, log_variance = network.encoder(x).chunk(2, 1)
        z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        gap = (network.decoder(z) - x) / network.log_sigma.exp()
        reconstruction = (gap.square() / 2 + network.log_sigma).sum(1)
        divergence = (mean.square() + log_variance.exp() - log_variance - 1).sum(1) / 2
        return (2 * reconstruction + divergence).mean()

    @override
    def draw(self, network: Any, num: int) -> Tensor:
        x: Tensor = network.decoder(torch.randn(num, self.latent))
        return x + network.log_sigma.exp() * torch.randn(num, self.dim)


class Mixture(Peer):
    """A Gaussian mixture with full covariances, its number of components by held-out likelihood.

    Components are doubled as long as the likelihood grows and the time for the next number is
    there, which is taken to be 2.5 times the last one's; the best number is fitted to all rows.
    """

    most = 1024

    @override
    def fit(self, x: Tensor, seconds: float, seed: int) -> None:
        self._mixture(1, seed)  # the import is not the budget's
        clock = Clock(seconds)
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
        rows = x[order].double().numpy()
        held, known = np.split(rows, [max(1, round(HELD_OUT * len(rows)))])

        best, chosen, k, misses = -math.inf, 1, 1, 0
        last = 0.0
        while k <= min(self.most, len(known) // 10) and misses < 2:
            if 2 * 2.5 * last > seconds - clock.spent:  # all rows are to be fitted, too
                break

            began = clock.spent
            value = float(self._mixture(k, seed).fit(known).score(held))
            last, misses = clock.spent - began, misses + 1
            if value > best:
                best, chosen, misses = value, k, 0
            k *= 2

        self.mixture = self._mixture(chosen, seed).fit(rows)
        dim = rows.shape[1]
        self.num_parameters = chosen * (1 + dim + dim * (dim + 1) // 2) - 1

    def _mixture(self, k: int, seed: int) -> Any:
        from sklearn.mixture import GaussianMixture

        return GaussianMixture(k, reg_covar=1e-5, max_iter=200, random_state=seed)

    @override
    def sample(self, num: int, seed: int) -> Tensor:
        self.mixture.random_state = seed
        rows = np.random.default_rng(seed).permutation(self.mixture.sample(num)[0])
        return torch.from_numpy(rows).float()


PEERS: Mapping[str, Callable[[], Peer]] = {
    "gmm": Mixture,
    "nsf": SplineFlow,
    "flow_matching": FlowMatching,
    "vae": VAE,
}
"""By name."""

NEEDS = {"nsf": "zuko"}
"""Packages of the extra ``bench`` that peers need."""


def _weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def _cosine(done: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * done))

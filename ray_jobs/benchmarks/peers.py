"""What SC-GAN races against: models that people would reach for, each with settings of its authors.

All train on one thread until a budget of process time is spent, keep the weights that were best on
a tenth of the rows, and draw from a seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import override

from ray_jobs.benchmarks.training import HELD_OUT, Clock, Peer, Trained


class SplineFlow(Trained):
    """A neural spline flow, autoregressive, of five transforms, by zuko.

    Durkan, Bekasov, Murray, Papamakarios (2019), "Neural spline flows": 8 bins, Adam with 5e-4 and
    a cosine; five transforms of two hidden layers are what zuko's tutorials take.
    """

    learning_rate = 5e-4

    @override
    def build(self, x: Tensor) -> nn.Module:
        import zuko

        flow: nn.Module = zuko.flows.NSF(
            x.shape[1], transforms=5, bins=8, hidden_features=(128, 128)
        )
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

    frequencies: Tensor

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
    def build(self, x: Tensor) -> nn.Module:
        return Velocity(x.shape[1])

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
    def build(self, x: Tensor) -> nn.Module:
        def layers(first: int, last: int) -> nn.Module:
            hidden = (nn.Linear(first, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU())
            return nn.Sequential(*hidden, nn.Linear(128, last))

        dim = x.shape[1]
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


class Circuit(nn.Module):
    """A hidden Chow-Liu tree: a category of H states behind each column, normal given its state.

    Args:
        x: Rows ``[N, D]``, of which the tree is that of the largest mutual informations, by
            correlation; some rows are where the states begin.
        num_states: H.
    """

    def __init__(self, x: Tensor, num_states: int) -> None:
        super().__init__()
        self.order, self.parents = _chow_liu(x)
        dim = x.shape[1]
        rows = x[torch.randint(len(x), (num_states,))]  # a state begins as a component of a mixture
        self.mean = nn.Parameter(rows.T.clone())  # [D, H]
        self.log_std = nn.Parameter(torch.full((dim, num_states), -1.0))
        self.start = nn.Parameter(torch.zeros(num_states))
        self.steps = nn.Parameter(6 * torch.eye(num_states).repeat(dim, 1, 1))  # to child's states

    def log_prob(self, x: Tensor) -> Tensor:
        """Log density of rows, ``[N]``."""
        z = (x[:, :, None] - self.mean) / self._std
        emitted = -z.square() / 2 - self._std.log() - math.log(2 * math.pi) / 2  # [N, D, H]
        messages = list(emitted.unbind(1))

        for child in reversed(self.order[1:]):
            high = messages[child].amax(1, keepdim=True)
            shares = (messages[child] - high).exp() @ self.steps[child].softmax(1).T
            parent = self.parents[child]
            messages[parent] = messages[parent] + shares.clamp_min(1e-30).log() + high

        root = messages[self.order[0]]
        return torch.logsumexp(root + self.start.log_softmax(0), 1)

    def sample(self, num: int) -> Tensor:
        """Rows ``[num, D]``, from the root to the leaves."""
        states, root = {}, self.order[0]
        states[root] = torch.multinomial(self.start.softmax(0), num, replacement=True)
        for child in self.order[1:]:
            shares = self.steps[child].softmax(1)[states[self.parents[child]]]  # [num, H]
            states[child] = torch.multinomial(shares, 1)[:, 0]

        columns = [self.mean[i, states[i]] for i in range(len(self.mean))]
        noise = [self._std[i, states[i]] * torch.randn(num) for i in range(len(self.mean))]
        return torch.stack(columns, 1) + torch.stack(noise, 1)

    @property
    def _std(self) -> Tensor:
        return self.log_std.clamp(-6, 3).exp()


def _chow_liu(x: Tensor) -> tuple[list[int], list[int]]:
    """Columns from a root on, and the parent of each; by the correlation of ranks."""
    from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree
    from scipy.stats import rankdata

    ranks = rankdata(x.numpy(), axis=0)
    correlation = np.corrcoef(ranks.T).reshape(x.shape[1], x.shape[1])
    information = -0.5 * np.log1p(-np.clip(correlation**2, 0, 1 - 1e-9))
    np.fill_diagonal(information, 0)

    # Edges of length 0 would be none.
    tree = minimum_spanning_tree(information.max() + 1 - information)
    order, parents = breadth_first_order(tree, 0, directed=False)
    return order.tolist(), parents.tolist()


class ProbabilisticCircuit(Trained):
    """A probabilistic circuit, as TabPC's in small: a hidden Chow-Liu tree of normal leaves.

    Liu, Van den Broeck (2021), "Tractable regularization of probabilistic circuits", of 256 states.
    """

    learning_rate = 1e-2
    num_states = 256

    @override
    def build(self, x: Tensor) -> nn.Module:
        return Circuit(x, min(self.num_states, len(x)))

    @override
    def loss(self, network: Any, x: Tensor) -> Tensor:
        log_prob: Tensor = network.log_prob(x)
        return -log_prob.mean()

    @override
    def draw(self, network: Any, num: int) -> Tensor:
        rows: Tensor = network.sample(num)
        return rows


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
    "circuit": ProbabilisticCircuit,
}
"""By name."""

NEEDS = {"nsf": "zuko"}
"""Packages of the extra ``bench`` that peers need."""

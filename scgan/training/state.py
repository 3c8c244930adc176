"""What a running fit is made of, and how it is put away and taken up again.

On a CPU what goes on is the fit in one go, bit for bit; on a GPU sums have no fixed order.
"""

from __future__ import annotations

import copy
import itertools
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from scgan.store.artifacts import Artifact
from scgan.training.runtime import Runtime

_log = logging.getLogger(__name__)


@dataclass
class TrainState:
    """Networks, optimisers and random generators of one fit, and how far it is.

    Args:
        modules: Networks (and their averages) by name.
        optimizers: Optimisers by name.
        generators: Random generators by name.
        samples: Samples seen so far, over all workers.
        curve: Mean losses at even distances, ``{"samples": ..., name: value, ...}``.
        sums: Losses summed since the last point of the curve.
        counts: Steps since then that had each of them.
    """

    modules: Mapping[str, nn.Module]
    optimizers: Mapping[str, torch.optim.Optimizer]
    generators: Mapping[str, torch.Generator]
    samples: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    sums: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, losses: Mapping[str, Tensor]) -> None:
        """Add a step's losses to the sums; a step may have some only."""
        for key, value in losses.items():
            value = value.detach().float()
            self.sums[key] = self.sums[key] + value if key in self.sums else value
            self.counts[key] = self.counts.get(key, 0) + 1

    def take_mean(self, runtime: Runtime) -> dict[str, float]:
        """Mean losses since the last call, each over the steps that had it; over all workers."""
        values = runtime.mean(
            torch.stack([self.sums[key] / count for key, count in self.counts.items()])
        )
        means = dict(zip(self.counts, values.tolist(), strict=True))
        self.sums, self.counts = {}, {}
        return means

    def to_artifact(self) -> Artifact:
        """Put the state away as tensors and plain values."""
        tensors: dict[str, Tensor] = {}
        for name, module in self.modules.items():
            tensors |= named_weights(f"module.{name}", module)

        for name, optimizer in self.optimizers.items():
            for index, key, value in _moments(optimizer):
                tensors[f"optimizer.{name}.{index}.{key}"] = value

        for name, generator in self.generators.items():
            tensors[f"generator.{name}.{generator.device.type}"] = generator.get_state()

        tensors |= {f"sum.{key}": value for key, value in self.sums.items()}
        return Artifact(
            tensors, {"samples": self.samples, "curve": self.curve, "counts": self.counts}
        )

    def restore(self, artifact: Artifact, device: torch.device) -> None:
        """Take up what :meth:`to_artifact` put away, in networks and optimisers made as then.

        Args:
            artifact: The state, its tensors on the CPU.
            device: Where the fit goes on, of whatever kind it was before.
        """
        for name, module in self.modules.items():
            module.load_state_dict(artifact.section(f"module.{name}"))

        for name, optimizer in self.optimizers.items():
            _restore_optimizer(optimizer, artifact.section(f"optimizer.{name}"))

        for name, generator in self.generators.items():
            _restore_generator(name, generator, artifact)

        self.sums = {key: value.to(device) for key, value in artifact.section("sum").items()}
        self.samples, self.counts = artifact.meta["samples"], dict(artifact.meta["counts"])
        self.curve[:] = artifact.meta["curve"]


def named_weights(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """A network's tensors, named ``prefix.*``: what :meth:`Artifact.section` gives back."""
    return {f"{prefix}.{name}": t for name, t in module.state_dict().items()}


def _moments(optimizer: torch.optim.Optimizer) -> Iterator[tuple[int, str, Tensor]]:
    for index, moments in optimizer.state_dict()["state"].items():
        for key, value in moments.items():
            yield index, key, value


def _restore_optimizer(optimizer: torch.optim.Optimizer, saved: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Any]] = {}
    groups = [group["params"] for group in optimizer.param_groups]
    parameters = list(itertools.chain.from_iterable(groups))
    for name, value in saved.items():
        index, key = name.split(".")
        if value.ndim:  # laid out in memory as its parameter, which is what fused optimisers go by
            value = torch.empty_like(parameters[int(index)]).copy_(value)
        state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _restore_generator(name: str, generator: torch.Generator, artifact: Artifact) -> None:
    """A generator as it was; on another kind of device, one that begins anew from here."""
    saved = artifact.section(f"generator.{name}")
    if generator.device.type in saved:
        generator.set_state(saved[generator.device.type])
        return

    (before,) = saved  # states of one kind of device say nothing to another
    samples = artifact.meta["samples"]
    generator.manual_seed((generator.initial_seed() + 0x9E3779B97F4A7C15 * samples) % 2**63)
    _log.warning(
        "the fit began on a %s device and goes on on a %s one, which draws other random numbers "
        "(%s) from %s samples on",
        before,
        generator.device.type,
        name,
        f"{samples:,}",
    )


EMA_RAMP = 0.05  # the half-life is at most this share of the samples seen


class Average(nn.Module):
    """Exponential moving average of a network's weights; buffers are those of the network.

    The half-life grows with the samples seen, so that a short training's average has forgotten the
    start.

    Args:
        network: The network that is trained, where it is trained.
        half_life: Samples after which a weight's past counts half.
        batch_size: Samples an update.

    Attributes:
        module: The average, to be used.
        num_updates: Updates so far. On the CPU, wherever the network is: who reads a number of a
            GPU waits for all that it has yet to do.

    Source: [EDM] code, EMA half-life in images; [STYLEGAN2] code, ramp-up.
    """

    num_updates: Tensor

    def __init__(self, network: nn.Module, half_life: float, batch_size: int) -> None:
        super().__init__()
        self.half_life, self.batch_size = half_life, batch_size
        self.module: Any = copy.deepcopy(network)
        self.register_buffer("num_updates", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the weights of the network after a step."""
        weights: list[Tensor] = list(network.parameters())
        averages: list[Tensor] = list(self.module.parameters())
        half_life = min(self.half_life, EMA_RAMP * int(self.num_updates) * self.batch_size)
        share = 1 - 0.5 ** (self.batch_size / half_life) if half_life else 1.0

        torch._foreach_lerp_(averages, weights, share)
        for buffer, now in zip(self.module.buffers(), network.buffers(), strict=True):
            buffer.copy_(now)
        self.num_updates += 1

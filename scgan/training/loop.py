"""How every network is trained: the loop, its optimisers, and the adversarial step.

:func:`train` calls a stage's step until its samples are seen. It sets the learning rates, draws the
curve, saves checkpoints and takes up the last one.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn

from scgan.training.runtime import Progress, Runtime
from scgan.training.settings import SCHEDULES, TrainingSettings
from scgan.training.state import TrainState

CURVE_POINTS = 100
GAN_BETAS = (0.5, 0.99)  # Adam's in adversarial trainings: [INFOSCC-GAN] code


class NonFiniteLoss(RuntimeError):
    """A loss became NaN or infinite; says which, in what, after how many samples."""


def train(
    state: TrainState,
    step: Callable[[], Mapping[str, Tensor]],
    c: TrainingSettings,
    *,
    name: str,
    runtime: Runtime,
) -> list[dict[str, float]]:
    """Call ``step`` until all samples are seen, from the last checkpoint where there is one.

    Args:
        state: What ``step`` trains; changed in place.
        step: One optimiser step on one batch of this worker; returns detached scalar losses by
            name.
        c: Batch size, length and schedule; the optimisers have their learning rates already.
        name: What is trained, for messages (``"encode"``, ``"map, clusters 3 to 5"``).
        runtime: Where it runs.

    Returns:
        The curve: at most 100 points, ``{"samples": ..., name: mean loss, ...}``.

    Raises:
        NonFiniteLoss: At the first curve point or checkpoint whose losses are not finite.
    """
    if runtime.checkpoints is not None and (saved := runtime.checkpoints.load()) is not None:
        try:
            state.restore(saved, runtime.device)
        except (KeyError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise RuntimeError(
                f"{name}: the checkpoint in the store is of other code ({reason}); raise the "
                "stage's version, or take another --store"
            ) from None

    clock, num_samples = _Clock(runtime), c.num_samples
    end = num_samples if runtime.until is None else min(runtime.until, num_samples)

    while state.samples < end:
        _set_learning_rates(
            state.optimizers.values(), SCHEDULES[c.schedule](state.samples / num_samples)
        )
        state.add(step())
        before, state.samples = state.samples, state.samples + c.batch_size

        if _curve_bin(before, num_samples) != _curve_bin(state.samples, num_samples):
            means = _finite(state.take_mean(runtime), name, state)
            state.curve.append({"samples": state.samples, **means})

        clock.tick(state, name, num_samples)

    if state.samples < num_samples:
        clock.save(state, name)

    return state.curve


def adam(
    network: nn.Module,
    learning_rate: float,
    *,
    betas: tuple[float, float] = (0.9, 0.999),
    weight_decay: float = 0.0,
) -> torch.optim.Adam:
    """Adam of all of a network's weights, fused: its step is one kernel."""
    return torch.optim.Adam(
        network.parameters(), learning_rate, betas=betas, weight_decay=weight_decay, fused=True
    )


class _Clock:
    """Reports every second and saves every ``checkpoint_every`` seconds, on rank 0."""

    REPORT_EVERY = 1.0

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.started = self.reported = self.saved = time.monotonic()

    def tick(self, state: TrainState, name: str, num_samples: int) -> None:
        if self.runtime.rank != 0:
            return

        now = time.monotonic()
        if now - self.reported > self.REPORT_EVERY or state.samples >= num_samples:
            latest = dict(state.curve[-1]) if state.curve else {}
            latest.pop("samples", None)
            samples = min(state.samples, num_samples)
            self.runtime.report(Progress(samples, num_samples, latest, now - self.started))
            self.reported = now

        if now - self.saved > self.runtime.checkpoint_every:
            self.save(state, name)

    def save(self, state: TrainState, name: str) -> None:
        if self.runtime.checkpoints is None or self.runtime.rank != 0:
            return
        _finite({key: float(value) for key, value in state.sums.items()}, name, state)
        self.runtime.checkpoints.save(state.to_artifact())
        self.saved = time.monotonic()


def adversarial_step(
    *,
    discriminators: Iterable[nn.Module],
    d_optimizer: torch.optim.Optimizer,
    d_loss: Callable[[], Tensor],
    g_optimizer: torch.optim.Optimizer,
    g_loss: Callable[[], Tensor],
) -> None:
    """One step of the discriminators, then one of the generator with the discriminators frozen.

    Args:
        discriminators: The networks behind ``d_optimizer``.
        d_optimizer: Steps the discriminators.
        d_loss: Computes their loss; generated samples in it must be detached.
        g_optimizer: Steps the generator.
        g_loss: Computes its loss, after the discriminators' step.
    """
    descend(d_optimizer, d_loss())
    with frozen(discriminators):
        descend(g_optimizer, g_loss())


def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One optimiser step down the gradient of ``loss``."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


@contextlib.contextmanager
def frozen(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Within it, the networks pass gradients on but collect none."""
    modules = list(modules)
    for module in modules:
        module.requires_grad_(False)
    try:
        yield
    finally:
        for module in modules:
            module.requires_grad_(True)


def _set_learning_rates(optimizers: Iterable[torch.optim.Optimizer], factor: float) -> None:
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor


def _curve_bin(samples: int, num_samples: int) -> int:
    return min(samples, num_samples) * CURVE_POINTS // num_samples


def _finite(losses: dict[str, float], name: str, state: TrainState) -> dict[str, float]:
    for key, value in losses.items():
        if not math.isfinite(value):
            raise NonFiniteLoss(f"{name}: {key} is {value} after {state.samples:,} samples")
    return losses

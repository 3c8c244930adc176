"""The loop that every network is trained by: schedule, curve, checkpoints, resume; and the adversarial step."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from scgan.training.runtime import Progress, Runtime
from scgan.training.state import TrainState

ScheduleName = Literal["constant", "linear", "late_linear", "cosine"]

SCHEDULES: dict[ScheduleName, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "linear": lambda done: 1 - done,
    "late_linear": lambda done: min(1.0, 2 * (1 - done)),
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
}
"""Factor on the learning rate by the share of the training done."""

CURVE_POINTS = 100


class NonFiniteLoss(RuntimeError):
    """A loss became NaN or infinite; says which, in what, after how many samples."""


def train(
    state: TrainState,
    step: Callable[[], Mapping[str, Tensor]],
    *,
    name: str,
    num_samples: int,
    batch_size: int,
    schedule: ScheduleName,
    runtime: Runtime,
) -> TrainState:
    """Call ``step`` until ``num_samples`` are seen, from the last checkpoint where there is one.

    Args:
        state: What ``step`` trains; changed in place.
        step: One optimiser step on one batch of this worker; returns detached scalar losses by
            name.
        name: What is trained, for messages (``"encode"``, ``"map c003"``).
        num_samples: Samples in all, over all workers.
        batch_size: Samples a step, over all workers.
        schedule: Course of the learning rate, a key of :data:`SCHEDULES`.
        runtime: Where it runs.

    Returns:
        ``state``, trained, its curve of at most 100 points filled.

    Raises:
        NonFiniteLoss: At the first curve point or checkpoint whose losses are not finite.
    """
    if runtime.checkpoints is not None and (saved := runtime.checkpoints.load()) is not None:
        state.restore(saved)

    clock = _Clock(runtime)
    end = num_samples if runtime.until is None else min(runtime.until, num_samples)

    while state.samples < end:
        _set_learning_rates(
            state.optimizers.values(), SCHEDULES[schedule](state.samples / num_samples)
        )
        state.add(step())
        before, state.samples = state.samples, state.samples + batch_size

        if _curve_bin(before, num_samples) != _curve_bin(state.samples, num_samples):
            state.curve.append(
                {"samples": state.samples, **_finite(state.take_mean(runtime), name, state)}
            )

        clock.tick(state, name, num_samples)

    if state.samples < num_samples:
        clock.save(state, name)

    return state


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
            latest = (
                {key: value for key, value in state.curve[-1].items() if key != "samples"}
                if state.curve
                else {}
            )

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

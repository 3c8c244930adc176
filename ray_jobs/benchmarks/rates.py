"""How fast stages train on a device, and how often a step waits for it."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import torch

from scgan import systems
from scgan.config import leaves, override
from scgan.contract import Inputs, Stage
from scgan.pipeline.run import prepare
from scgan.pipeline.spec import Spec
from scgan.stages.images.generate import GeneratorTraining
from scgan.stages.images.generator_settings import GeneratorSettings
from scgan.stages.tables.cluster import ClusteredCodes
from scgan.stages.tables.map import map_clusters
from scgan.stages.tables.mapper_settings import MapperSettings
from scgan.store.artifacts import Artifact
from scgan.training.runtime import Progress, Runtime

WARM_UP = 4  # steps of one kind of network that are not timed
WAITED = "called a synchronizing CUDA operation"  # of PyTorch's, at each


class Enough(Exception):
    """A training has been looked at long enough."""


class Pace:
    """Samples a second by a training's reports, which come every second, the first left out.

    Args:
        seconds: After which the training is left.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.reports: list[Progress] = []

    def __call__(self, progress: Progress) -> None:
        """Note how far the training is, and end it when it is time."""
        self.reports.append(progress)
        if progress.seconds - self.reports[0].seconds > self.seconds:
            raise Enough

    @property
    def value(self) -> float:
        """Samples a second; of a training that ended before it could be timed, all of it."""
        first, last = self.reports[0], self.reports[-1]
        if last.seconds > first.seconds:
            return (last.samples - first.samples) / (last.seconds - first.seconds)
        return last.samples / max(last.seconds, 1e-9)


def few_steps(config: Any, steps: int) -> Any:
    """The settings with every training cut to so many steps."""
    sizes = dict(leaves(config))
    keys = [key for key in sizes if key.endswith(".num_samples")]
    changes = {key: steps * sizes[key.replace("num_samples", "batch_size")] for key in keys}
    return override(config, changes)


def stage_rates(
    spec: Spec, devices: Sequence[torch.device], seconds: float
) -> Iterator[dict[str, Any]]:
    """Time every training of a system on every device, in every precision that it has.

    Args:
        spec: What is trained; each stage on what the earlier ones are after a few steps.
        devices: In turns.
        seconds: That each is looked at.

    Yields:
        A row a stage, device and precision: ``samples_a_second`` and ``waits_a_step``, how often a
        step waits for the GPU (none on a CPU).
    """
    data, made = prepare(spec), dict[str, Artifact]()
    short = few_steps(spec.config, WARM_UP)

    for stage in systems.load(spec.system).stages(data):
        inputs = Inputs(data, {name: made[name] for name in stage.needs}, spec.seed)
        for device in devices:
            for precision, config in _precisions(stage, spec.config):
                pace = _pace(stage, config, inputs, device, seconds)
                if pace.reports:  # else a stage that trains nothing by steps
                    yield {
                        "system": spec.system,
                        "stage": stage.name,
                        "device": name_of(device),
                        "precision": precision,
                        "samples_a_second": pace.value,
                        "waits_a_step": _waits(stage, config, inputs, device),
                    }

        made[stage.name] = _fitted(stage, short, inputs, devices[0])


def _precisions(stage: Stage, config: Any) -> list[tuple[str, Any]]:
    """The settings in each precision that the stage has."""
    section = stage.sections[-1]
    if not hasattr(getattr(config, section), "precision"):
        return [("fp32", config)]
    names = ("fp32", "bf16")
    return [(name, override(config, {f"{section}.precision": name})) for name in names]


def _pace(stage: Stage, config: Any, inputs: Inputs, device: torch.device, seconds: float) -> Pace:
    pace = Pace(seconds)
    with contextlib.suppress(Enough):
        units = stage.units(stage.view(config), inputs)
        stage.fit(stage.view(config), units, inputs, Runtime(device, report=pace))
    return pace


def _fitted(stage: Stage, config: Any, inputs: Inputs, device: torch.device) -> Artifact:
    units = stage.units(stage.view(config), inputs)
    part = stage.fit(stage.view(config), units, inputs, Runtime(device))
    return stage.merge([Artifact(part.tensors, {**part.meta, "units": list(units)})])


def _waits(stage: Stage, config: Any, inputs: Inputs, device: torch.device) -> float | None:
    """Times a step that the CPU waits for the GPU, in the middle of a training."""
    if device.type != "cuda":
        return None

    section, counts = stage.sections[-1], []
    batch = getattr(config, section).batch_size
    for steps in (20, 40):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                units = stage.units(stage.view(config), inputs)
                runtime = Runtime(device, until=steps * batch)
                stage.fit(stage.view(config), units, inputs, runtime)
            finally:
                torch.cuda.set_sync_debug_mode("default")
        counts.append(sum(WAITED in str(warning.message) for warning in said))

    return (counts[1] - counts[0]) / 20


def compiled_rates(
    spec: Spec,
    device: torch.device,
    steps: int,
    modes: Mapping[str, Mapping[str, Any] | None],
) -> Iterator[dict[str, Any]]:
    """Time the steps of EigenGAN's generator with its networks plain, and compiled.

    Args:
        spec: Of EigenGAN; the penalty is left out, whose gradient of a gradient can't be compiled.
        device: Where.
        steps: That are timed.
        modes: By the name of each, what ``torch.compile`` is told; None leaves the networks plain.

    Yields:
        A row a mode and precision: ``samples_a_second``, and ``ratio`` to the plain one's; or the
        first line of the ``error`` with which PyTorch refused it.
    """
    inputs = Inputs(prepare(spec), {}, spec.seed)
    for precision in ("fp32", "bf16"):
        changes = {"precision": precision, "r1_weight": 0.0}
        c = cast(Any, spec.config).generator.model_copy(update=changes)
        plain = None
        for mode, how in modes.items():
            row: dict[str, Any] = {"device": name_of(device), "precision": precision, "mode": mode}
            try:
                rate = _compiled_rate(c, inputs, device, steps, how)
            except Exception as error:  # of a compiler that is missing, or does not know the card
                yield {**row, "error": str(error).strip().splitlines()[0][:200]}
                continue

            plain = plain or rate
            yield {**row, "samples_a_second": rate, "ratio": rate / plain}


def _compiled_rate(
    c: GeneratorSettings,
    inputs: Inputs,
    device: torch.device,
    steps: int,
    how: Mapping[str, Any] | None,
) -> float:
    training: Any = GeneratorTraining(c, None, inputs, Runtime(device))
    if how is not None:
        training.network = torch.compile(training.network, **how)
        training.critic = training.discriminator = torch.compile(training.discriminator, **how)

    def step() -> None:
        torch.compiler.cudagraph_mark_step_begin()
        training.state.add(training.step())
        training.state.samples += c.batch_size

    return c.batch_size / seconds_a_call(step, steps, device)


def mapper_rates(device: torch.device, num_clusters: int, alone: int, steps: int) -> dict[str, Any]:
    """Time many mappers in one stack, and some of them one by one.

    Args:
        device: Where.
        num_clusters: Mappers in all.
        alone: Of them one by one; the others are reckoned from these.
        steps: Of each mapper.

    Returns:
        Seconds of all in one stack and of all one by one, and their ratio.
    """
    generator, rows = torch.Generator().manual_seed(0), 64
    centres = torch.randn(num_clusters, 2, generator=generator)
    k = torch.arange(num_clusters).repeat_interleave(rows)
    eps = centres[k] + 0.1 * torch.randn(len(k), 2, generator=generator)
    counts = torch.full((num_clusters,), rows)
    found = ClusteredCodes(centres, counts, torch.full((num_clusters,), 0.1), 0, k, eps)

    settings = MapperSettings(kind="adversarial")
    c = settings.model_copy(update={"num_samples": steps * settings.batch_size})
    config = SimpleNamespace(mappers=c)
    data = cast(Any, SimpleNamespace(train=eps, stream=None))
    inputs = Inputs(data, {"cluster": found.to_artifact()}, 0)

    def seconds(units: Sequence[str]) -> float:
        reports: list[Progress] = []
        map_clusters(config, units, inputs, Runtime(device, report=reports.append))
        return reports[-1].seconds

    names = [str(number) for number in range(num_clusters)]
    seconds(names[:1])  # kernels are loaded
    stacked = seconds(names)
    each = sum(seconds([name]) for name in names[:alone]) / alone
    return {
        "device": name_of(device),
        "mappers": num_clusters,
        "stacked_seconds": stacked,
        "one_by_one_seconds": each * num_clusters,
        "ratio": each * num_clusters / stacked,
    }


def seconds_a_call(call: Callable[[], object], times: int, device: torch.device) -> float:
    """Seconds a call of many in a row, after a few that are not counted."""
    for number in range(WARM_UP + times):
        if number == WARM_UP:
            _finish(device)
            start = time.perf_counter()
        call()
    _finish(device)
    return (time.perf_counter() - start) / times


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def name_of(device: torch.device) -> str:
    """What a device is called."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"

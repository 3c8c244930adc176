"""What a search is asked for, and what can be checked of it before anything is started."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import ray

from ray_jobs.cluster.resources import Resources
from ray_jobs.tuning.trials import TrialPlan
from scgan import systems
from scgan.cli import commands
from scgan.config import leaves, override, shortened
from scgan.data.dataset import Dataset
from scgan.pipeline.spec import Spec
from scgan.space import Space, describe

RUNG_FACTOR = 3  # ASHA's: a third of the trials goes on from each rung, three times as long
NUM_RUNGS = 2  # before the end


@dataclass(frozen=True)
class Request:
    """What a search is asked for.

    Args:
        spec: The run at full length whose settings are searched.
        space: What is searched.
        metrics: What is minimised; several give a Pareto front.
        trials: In all, those of earlier calls among them.
        study: The study's name.
        storage_url: Of the study's database; None for a file beside the store.
        store_url: Where artifacts lie.
        length: Share of the full length that trials train for.
        validation: Share of the training rows that trials are scored on.
        stop_early: Whether ASHA ends trials that fall behind.
        cpus: Of each worker of a trial.
        gpus: Of each worker of a trial.
        workers: Workers that train a trial together.
        max_failed: Largest share of failed trials with which a search counts as a success.
        warm_start: Name of a study to start from.
        resources: Of the final training.
        as_json: End with one JSON object.
    """

    spec: Spec
    space: Space
    metrics: tuple[str, ...]
    trials: int
    study: str
    storage_url: str | None
    store_url: str
    length: float
    validation: float
    stop_early: bool
    cpus: float
    gpus: float
    workers: int
    max_failed: float
    warm_start: str | None
    resources: Resources
    as_json: bool

    @property
    def asha(self) -> bool:
        """Whether trials are stopped early: Tune's ASHA compares one metric only."""
        return self.stop_early and len(self.metrics) == 1

    @property
    def bundles(self) -> list[dict[str, float]]:
        """What a trial takes of the cluster, a bundle a worker."""
        return [{"CPU": self.cpus, **({"GPU": self.gpus} if self.gpus else {})}] * self.workers

    def trial_spec(self) -> Spec:
        """The run that a trial's point changes."""
        return replace(self.spec, config=shortened(self.spec.config, self.length))

    def description(self) -> dict[str, Any]:
        """What a study's trials have in common; it can't be continued with another."""
        config = {
            key: value for key, value in leaves(self.trial_spec().config) if key not in self.space
        }
        data = {"data": self.spec.data.model_dump(mode="json"), "validation": self.validation}
        others = {"system": self.spec.system, "seed": self.spec.seed, "early stopping": self.asha}

        return {
            "space": describe(self.space),
            "metrics": list(self.metrics),
            **data,
            **others,
            "settings": config,
        }

    def database(self, name: str) -> str:
        """Address of the database of a study of this name."""
        folder = commands.folder_of(self.store_url)
        return self.storage_url or f"sqlite:///{folder / f'search-{name}.db'}"

    def plan(self) -> TrialPlan:
        """What all trials have in common, with the rungs in samples of the last stage.

        Raises:
            ValueError: If there can be no rungs.
        """
        spec = self.trial_spec()
        length = f"{systems.load(spec.system).stages[-1].sections[-1]}.num_samples"
        total = dict(leaves(spec.config)).get(length, 1)
        rungs: tuple[int, ...] = ()

        if self.asha:
            least = RUNG_FACTOR**NUM_RUNGS
            if length in self.space or total < least:
                raise ValueError(
                    f"early stopping needs a fixed {length} of at least {least}; give --stop none"
                )

            first = math.ceil(total / least)
            rungs = tuple(first * RUNG_FACTOR**i for i in range(NUM_RUNGS))

        return TrialPlan(spec, self.store_url, self.metrics, rungs, total, self.workers)

    def check_space(self, data: Dataset) -> None:
        """Refuse a space with values that the system refuses on this data.

        Raises:
            ValueError: For the first such value.
        """
        spec = self.trial_spec()
        for key, domain in self.space.items():
            for value in domain.probes():
                systems.load(spec.system).check(override(spec.config, {key: value}), data)

    def check_resources(self) -> None:
        """Refuse a trial that the cluster can't hold.

        Raises:
            ValueError: For such a trial.
        """
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        places = sum(
            min(
                node.get("CPU", 0) // self.cpus,
                node.get("GPU", 0) // self.gpus if self.gpus else math.inf,
            )
            for node in nodes
        )

        if places < self.workers:
            cpus, gpus = (max(node.get(kind, 0) for node in nodes) for kind in ("CPU", "GPU"))
            raise ValueError(
                f"{self.workers} x {self.cpus:g} CPUs and {self.gpus:g} GPUs, a trial's, fit nowhere: the largest node "
                f"has {cpus:g} CPUs and {gpus:g} GPUs, the cluster room for {places:g}; lower --cpus, --gpus or "
                "--workers"
            )

"""What a search is asked for: its settings, of which the command's options are made."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import click
import optuna
from pydantic import Field

from ray_jobs.cluster.resources import Resources, has_gpus
from ray_jobs.cluster.session import folder_beside
from ray_jobs.tuning.executor import TaskExecutor
from scgan import systems
from scgan.config import Settings, leaves, override, shortened, suggest
from scgan.data.dataset import Dataset
from scgan.metrics.objectives import check_metrics
from scgan.pipeline.spec import Spec
from scgan.space import Space, change, describe
from scgan.store.artifacts import ArtifactStore
from scgan.store.opening import sqlite_uri

LIMITS = ("ge", "gt", "le", "lt")  # of a number, as pydantic keeps them


class TuneSettings(Settings):
    """How a search goes; each field is an option of the command."""

    trials: int = Field(
        40, ge=1, le=100_000, description="In all, those of earlier calls among them."
    )
    study: str | None = Field(
        None, description="The study's name; by default made of system and data."
    )
    space: tuple[str, ...] = Field(
        (),
        description="Narrow or widen what is searched: KEY=loguniform(0.01,10), uniform, int, "
        "logint, choice(4,8), each with ' if OTHER=VALUE' behind it where it depends on another; "
        "KEY=VALUE fixes a setting.",
        json_schema_extra={"metavar": "KEY=DOMAIN ..."},
    )
    only: str | None = Field(
        None,
        description="Search these settings of the space alone.",
        json_schema_extra={"metavar": "KEY,KEY"},
    )
    metric: tuple[str, ...] = Field(
        (),
        description="What is minimised: sliced_wasserstein, energy_distance, reconstruction_mse; "
        "of images fid_encoder and, with attributes, fid_judge, control_error ... Given twice, the "
        "Pareto front of both.  [default: the system's first]",
    )
    stop: Literal["asha", "none"] = Field(
        "asha", description="Early stopping; of one metric alone."
    )
    length: float = Field(
        1.0, ge=0.001, le=1, description="Of trials, share of full length: short ones cost less."
    )
    validation: float = Field(
        0.2, gt=0, lt=1, description="Share of the training rows that trials are scored on."
    )
    cpus: float = Field(1.0, gt=0, description="Of a trial; small networks gain nothing by more.")
    gpus: float | None = Field(
        None,
        ge=0,
        description="Of a trial, each worker's; 0.25 shares one.  [default: where the cluster has "
        "any, resources.gpus_per_task, and of several workers resources.gpus_per_worker]",
    )
    workers: int = Field(1, ge=1, description="That train a trial together, each so large.")
    max_failed: float = Field(0.5, ge=0, le=1, description="Share of trials that may fail.")
    warm_start: str | None = Field(
        None,
        description="Begin with the best trials of another study.",
        json_schema_extra={"metavar": "STUDY"},
    )
    study_storage: str | None = Field(
        None,
        description="SQLAlchemy's; by default a file beside the store.",
        json_schema_extra={"metavar": "URL"},
    )

    @property
    def stops_early(self) -> bool:
        """Whether trials are stopped early: halving compares one metric only."""
        return self.stop == "asha" and len(self.metric) == 1

    @property
    def bundles(self) -> list[dict[str, float]]:
        """What a trial takes of the cluster, a bundle a worker."""
        return [{"CPU": self.cpus} | ({"GPU": self.gpus} if self.gpus else {})] * self.workers

    def with_gpus(self, resources: Resources) -> TuneSettings:
        """The same with a trial's GPUs filled in: a share of one where the cluster has any."""
        if self.gpus is not None:
            return self
        share = resources.gpus_per_task if self.workers == 1 else resources.gpus_per_worker
        return self.model_copy(update={"gpus": share if has_gpus(resources) else 0.0})

    def database(self, name: str, store_url: str) -> str:
        """Address of the database of a study of this name."""
        return self.study_storage or sqlite_uri(folder_beside(store_url) / f"search-{name}.db")


def tune_options(command: Callable[..., None]) -> Callable[..., None]:
    """An option of the command for each field of :class:`TuneSettings`."""
    for name, field in reversed(TuneSettings.model_fields.items()):
        extra = typing.cast("dict[str, Any]", field.json_schema_extra or {})
        default = None if field.default in (None, ()) else field.default
        option = click.option(
            f"--{name.replace('_', '-')}",
            default=default,
            show_default=default is not None,
            type=_click_type(field.annotation, field.metadata),
            multiple=field.default == (),
            metavar=extra.get("metavar"),
            help=field.description,
        )
        command = option(command)

    return command


def _click_type(annotation: Any, limits: list[Any]) -> Any:
    """What click checks an option by: the field's type and limits."""
    if typing.get_origin(annotation) is Literal:
        return click.Choice(typing.get_args(annotation))
    numbers = {int: int, float: float, float | None: float}
    if annotation not in numbers:
        return str

    found: dict[str, Any] = {}
    for limit in limits:
        found |= {name: getattr(limit, name) for name in LIMITS if hasattr(limit, name)}

    low, high = found.get("ge", found.get("gt")), found.get("le", found.get("lt"))
    if numbers[annotation] is int:
        return click.IntRange(low, high)
    return click.FloatRange(low, high, min_open="gt" in found, max_open="lt" in found)


def resolve(settings: TuneSettings, spec: Spec) -> tuple[TuneSettings, Spec, Space]:
    """Fill in what is left to the system, and find the space.

    Args:
        settings: As they were asked for.
        spec: The run at full length whose settings are searched.

    Returns:
        Settings with a name, the spec with the settings that the space fixes, and the
        space.

    Raises:
        ValueError: For an unknown setting, or a wrong space or name.
    """
    system = systems.load(spec.system)
    space, config = change(dict(system.search_space), settings.space, spec.config)

    if settings.only is not None:
        keys = [key.strip() for key in settings.only.split(",") if key.strip()]
        for key in keys:
            if key not in space:
                raise ValueError(f"--only: {key!r} is not searched{suggest(key, space)}")

        space = {key: space[key] for key in keys}

    name = settings.study or f"{spec.system}-{Path(spec.data.source).stem}"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", name):
        raise ValueError(f"{name!r} is no name for a study; use letters, digits, '-', '_' and '.'")

    named = settings.model_copy(update={"study": name})
    return named, replace(spec, config=config), space


def with_metrics(settings: TuneSettings, spec: Spec, data: Dataset) -> TuneSettings:
    """The same with what is minimised on this data, the system's first by default.

    Raises:
        ValueError: For a metric that the system doesn't have on it.
    """
    known = systems.load(spec.system).objectives(data)
    metrics = settings.metric or (next(iter(known)),)
    check_metrics(metrics, known)
    return settings.model_copy(update={"metric": metrics})


@dataclass(frozen=True)
class Search:
    """A search under way: what every part of it needs.

    Args:
        spec: The run at full length whose settings are searched.
        space: What is searched.
        settings: How, with everything filled in.
        whole: The spec's data, loaded once.
        data: Its training rows, some of them held out for scoring trials.
        store: Where artifacts lie.
        study: The record of trials.
        database: The study's address.
        executor: Trains what no trial trains: shared stages, and the best point.
    """

    spec: Spec
    space: Space
    settings: TuneSettings
    whole: Dataset
    data: Dataset
    store: ArtifactStore
    study: optuna.Study
    database: str
    executor: TaskExecutor

    @property
    def name(self) -> str:
        """The study's."""
        return self.study.study_name

    @property
    def metrics(self) -> tuple[str, ...]:
        """What is minimised."""
        return self.settings.metric

    @property
    def trial_spec(self) -> Spec:
        """The run that a trial's point changes."""
        return trial_spec(self.spec, self.settings)


def trial_spec(spec: Spec, settings: TuneSettings) -> Spec:
    """The run that a trial's point changes: all training lengths cut to the trials' share."""
    return replace(spec, config=shortened(spec.config, settings.length))


def description(
    spec: Spec, space: Space, settings: TuneSettings, store_url: str
) -> Mapping[str, Any]:
    """What a study's trials have in common; it can't be continued with another."""
    config = dict(leaves(trial_spec(spec, settings).config))
    elsewhere = {"store": store_url} if "://" in store_url else {}  # a folder may be moved

    return {
        "space": describe(space),
        "metrics": list(settings.metric),
        "data": spec.data.model_dump(mode="json"),
        "validation": settings.validation,
        "system": spec.system,
        "seed": spec.seed,
        "early stopping": settings.stops_early,
        "settings": {key: value for key, value in config.items() if key not in space},
        **elsewhere,
    }


def check_space(spec: Spec, space: Space, data: Dataset) -> None:
    """Refuse a space with values that the system refuses on this data.

    Raises:
        ValueError: For the first such value.
    """
    for key, domain in space.items():
        for value in domain.probes():
            systems.load(spec.system).check(override(spec.config, {key: value}), data)

"""What the commands share: options to a spec, a run and what is around it, errors in a line.

Nothing that is slow to import, PyTorch first, is imported before a command runs: help is quick.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scgan.cli import console, extras
from scgan.config import build, leaves, override, suggest

if TYPE_CHECKING:
    from scgan.data.dataset import Dataset
    from scgan.metrics.scores import Score
    from scgan.pipeline.executor import Executor
    from scgan.pipeline.outcome import Outcome
    from scgan.pipeline.spec import Spec
    from scgan.pipeline.stored import StoredRun

OPTIONS = (
    *("--system", "--data", "--preset", "--set", "--config"),
    *("--store", "--seed", "--json", "--log-level"),
)
"""The options of :func:`run_options`, for whoever misspells one."""

LEVELS = ("debug", "info", "warning", "error")

STORE = click.option(
    "--store",
    default="runs",
    show_default=True,
    envvar="SCGAN_STORE",
    help="Folder or s3:// address of results; SCGAN_STORE sets it too.",
)

FLEXIBLE = {"ignore_unknown_options": True, "allow_extra_args": True}
"""Click context settings of commands that take a typed flag for every setting."""


def _set_log_level(ctx: click.Context, option: click.Parameter, level: str | None) -> None:
    """Have the loggers of this package and of ``ray_jobs`` write from a level on to stderr."""
    if level is None:
        return

    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    for name in ("scgan", "ray_jobs"):
        logging.getLogger(name).setLevel(level.upper())
        logging.getLogger(name).handlers = [handler]


def run_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every command that runs a pipeline."""
    options = (
        click.option(
            "--system",
            default="scgan",
            show_default=True,
            help="Which; scgan systems lists them.",
        ),
        click.option(
            "--data",
            help="A bundled set's name, or path or s3:// address of a table (.npy, .npz, .csv, "
            ".csv.gz, .parquet, .feather, .h5, .fits, .root, a folder) or of images (a folder, "
            ".zip, .tar, .npz, .parquet, IDX files); the system's example if not given.",
        ),
        click.option(
            "--preset", default="default", show_default=True, help="Settings to start from."
        ),
        click.option(
            "--set",
            "changes",
            multiple=True,
            metavar="KEY=VALUE",
            help="Change a setting, decoder.lambda_x=0.5; so does the flag --decoder.lambda_x 0.5.",
        ),
        click.option(
            "--config",
            metavar="FILE.yaml",
            expose_value=False,
            help="Options and settings as a file; flags win over it. fit --dump-config writes one.",
        ),
        STORE,
        click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**31 - 1)),
        click.option("--json", "as_json", is_flag=True, help="End with one JSON object on stdout."),
        click.option(
            "--log-level",
            type=click.Choice(LEVELS, case_sensitive=False),
            expose_value=False,
            callback=_set_log_level,
            help="Say on stderr what this package logs from that level on.",
        ),
    )

    for option in reversed(options):
        command = option(command)

    return command


def build_spec(
    system: str,
    data: str | None,
    preset: str,
    changes: Sequence[str],
    extra: Sequence[str],
    seed: int,
) -> tuple[Spec, dict[str, str]]:
    """Turn a command line into a spec.

    Args:
        system: The system's name.
        data: The data's name, path or address; None for the system's example.
        preset: The preset's name.
        changes: ``KEY=VALUE`` texts.
        extra: The words that click did not know: ``--KEY VALUE``, ``--KEY=VALUE`` or ``KEY=VALUE``.
        seed: Of everything random.

    Returns:
        The spec, and the changes under ``resources.``, which are the executor's.

    Raises:
        ValueError: For anything unknown or not allowed.
    """
    from scgan import systems
    from scgan.data.dataset import DataConfig
    from scgan.pipeline.spec import Spec

    loaded = systems.load(system)
    if preset not in loaded.presets:
        raise ValueError(f"unknown preset {preset!r} of {system}{suggest(preset, loaded.presets)}")

    sections: dict[str, dict[str, str]] = {"data": {}, "resources": {}, "system": {}}
    known = [key for key, _ in leaves(loaded.presets[preset])]
    names = [*known, *(f"data.{key}" for key, _ in leaves(DataConfig())), *OPTIONS]

    for key, value in pairs([*changes, *extra]):
        section, _, rest = key.partition(".")
        if section in {"data", "resources"} and rest:
            sections[section][rest] = value
        elif key in known:
            sections["system"][key] = value
        else:
            raise ValueError(f"unknown setting {key!r}{suggest(key, names)}")

    source = next(iter(loaded.examples.values())) if data is None else data
    data_config = override(build(DataConfig, {"source": source}, "data"), sections["data"], "data")

    config = override(loaded.presets[preset], sections["system"])
    return Spec(system, data_config, config, seed), sections["resources"]


def pairs(words: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Read ``--KEY VALUE``, ``--KEY=VALUE`` and ``KEY=VALUE``.

    Raises:
        ValueError: For a word that is none of these.
    """
    words = iter(words)
    for word in words:
        key, equals, value = (
            word.removeprefix("--")
            .replace("-", "_" if word.startswith("--") else "-")
            .partition("=")
        )

        if equals:
            yield key, word.partition("=")[2]
        elif word.startswith("--"):
            value = next(words, "")
            if not value or value.startswith("--"):
                raise ValueError(f"{word} needs a value")

            yield key, value
        else:
            raise ValueError(
                f"don't know what {word!r} means here; settings are KEY=VALUE or --KEY VALUE"
            )


def check_scorable(data: Dataset) -> None:
    """Refuse, before anything is trained, a held-out split that the result could not be scored on.

    Raises:
        ValueError: For such a split.
    """
    from scgan.metrics.scores import NUM_ROWS_MIN

    if len(data.test) < 2 * NUM_ROWS_MIN:
        raise ValueError(
            f"{data.name}: {len(data.test)} test rows are too few to score a run; give more rows, "
            "or another --data.test_fraction or --data.num_test, that leaves at least "
            f"{2 * NUM_ROWS_MIN}"
        )


def run_and_show(
    spec: Spec, store_url: str, executor: Executor, *, folder: Path, as_json: bool
) -> Outcome:
    """Run a pipeline with a terminal, MLflow and a report around it, and end with its table.

    Args:
        spec: What to run.
        store_url: Where artifacts lie.
        executor: Who trains.
        folder: Where the MLflow database lies if nothing else is said.
        as_json: End with one JSON object instead of a table.

    Returns:
        The outcome.

    Raises:
        ValueError: For wrong input, before anything is trained.
    """
    from scgan.capabilities import Clustering
    from scgan.pipeline import listeners
    from scgan.pipeline import run as pipeline
    from scgan.pipeline import stored as runs
    from scgan.report.page import publish
    from scgan.store.artifacts import ArtifactStore

    terminal = console.Terminal()
    store = ArtifactStore(store_url)
    data = pipeline.prepare(spec)
    check_scorable(data)
    if store.storage.read(f"{spec.run_id}/run.json") is None:
        executor.warm_up()

    tracker = extras.open_tracker(folder)
    heard = [terminal, *([] if tracker is None else [tracker]), *listeners.added()]
    outcome = pipeline.run(spec, data, store, executor, heard, pictures=True)
    report = publish(outcome, store, tracker)
    terminal.say_time()

    fields = {
        "run": spec.run_id,
        "store": store.url,
        "report": report,
        "trained": list(outcome.trained),
    }

    show_scores(outcome.scores, spec.run_id, as_json, **fields)
    if not as_json:
        click.echo(f"report:  {report}")
        click.echo(f"sample:  {runs.sample_command(spec, store.url, data.kind)}")
        for option in outcome.model.options:
            click.echo(f"         --{option.name}: {option.meaning} ({option.allowed})")
        if isinstance(outcome.model, Clustering):
            click.echo(f"cluster: {runs.cluster_command(spec, store.url, data.kind)}")
        if tracker is not None:
            click.echo(f"compare: {tracker.address}")

    return outcome


def show_scores(scores: Mapping[str, Score], title: str, as_json: bool, **fields: Any) -> None:
    """End a command with its figures: a table, or one JSON object on the last line of stdout."""
    if as_json:
        click.echo(
            json.dumps(
                {**fields, "scores": {name: asdict(score) for name, score in scores.items()}}
            )
        )
    else:
        console.print_table(console.score_table(scores, title))


def guarded(command: click.Command) -> None:
    """Run a command, its errors in a line."""
    with one_line_errors():
        command.main(standalone_mode=False)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Within it, what a user got wrong becomes one line on stderr and exit code 2.

    A training that failed exits with 1; SCGAN_DEBUG=1 shows the traceback of either.
    """
    try:
        yield
    except click.ClickException as error:
        _say(error.format_message())
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):  # before RuntimeError, which click's is one of
        _say("stopped; the same command goes on from the last checkpoint")
        sys.exit(130)
    except (ValueError, OSError) as error:
        _say(str(error), error)
        sys.exit(2)
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        if package not in extras.EXTRAS:
            raise

        _say(f"this needs {package}, which is not installed: {extras.install(package)}", error)
        sys.exit(2)
    except RuntimeError as error:
        _say(str(error), error)
        sys.exit(1)


def _say(message: str, error: BaseException | None = None) -> None:
    if error is not None and os.environ.get("SCGAN_DEBUG"):
        raise error
    click.echo(f"error: {' '.join(message.split())}", err=True)


def open_run(run: str, store_url: str) -> StoredRun:
    """A finished run of a store, which is not written to.

    Raises:
        ValueError: If there is no such store or run.
    """
    from scgan.pipeline import stored as runs
    from scgan.store.artifacts import ArtifactStore

    return runs.open_run(run, ArtifactStore(store_url, write=False))


def folder_of(store_url: str) -> Path:
    """Where files beside a store belong: the store itself, or here for a store elsewhere."""
    return Path.cwd() if "://" in store_url else Path(store_url).expanduser().absolute()

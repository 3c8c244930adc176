"""What a person reads of an entry before opening it: its name, description and who made it."""

from __future__ import annotations

import getpass
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scgan import systems
from scgan.config import Settings, leaves
from scgan.data.dataset import DataConfig, Dataset
from scgan.pipeline.spec import Spec

SIZES = {"num_samples", "num_train", "num_test"}
NUM_NAMED = 3  # settings in a name; the others are counted
MAX_VALUE = 24  # letters of a value in a name


def run_name(spec: Spec) -> str:
    """A run's name: what was changed, on what, and the hash that tells it from all others last."""
    preset, changed = changes(spec)
    how = sum(not _is_size(key) for key in changed)  # they come first
    words = " ".join(listed(changed, dict(leaves(spec.config)), min(how, NUM_NAMED) or NUM_NAMED))
    base = [preset] if preset != "default" else []
    what, _, number = spec.run_id.rpartition("-")
    return " · ".join([words or "default", *base, what.replace("-", " ", 1), number])


def changes(spec: Spec) -> tuple[str, dict[str, Any]]:
    """The preset that is nearest to a run's settings, and what differs from it, sizes last."""
    presets = systems.load(spec.system).presets
    found = {name: _differences(config, spec.config) for name, config in presets.items()}
    preset = min(found, key=lambda name: (len(found[name]), name != "default"))
    changed = found[preset] | ({"seed": spec.seed} if spec.seed else {})
    changed |= _data_changes(spec.data)
    return preset, dict(sorted(changed.items(), key=lambda pair: _is_size(pair[0])))


def _is_size(key: str) -> bool:
    """Whether a setting says how much, not how: of little interest beside the others."""
    return key.rpartition(".")[2] in SIZES


def _differences(before: Settings, after: Settings) -> dict[str, Any]:
    old = dict(leaves(before))
    return {key: value for key, value in leaves(after) if value != old[key]}


def _data_changes(data: DataConfig) -> dict[str, Any]:
    found = _differences(DataConfig(), data)
    return {f"data.{key}": value for key, value in found.items() if key != "source"}


def listed(values: Mapping[str, Any], among: Iterable[str], most: int = NUM_NAMED) -> list[str]:
    """Settings as ``lambda_x=0.1``: by the last word of their keys, where no other has it."""
    last = Counter(key.rpartition(".")[2] for key in among)
    words = []
    for key, value in list(values.items())[:most]:
        short = key.rpartition(".")[2]
        words.append(f"{key if last[short] > 1 else short}={_short(value)}")

    left_out = len(values) - len(words)
    return [*words, f"+{left_out} more"] if left_out else words


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 1]}…"


def describe_run(spec: Spec, data: Dataset) -> str:
    """A run's description, in Markdown."""
    preset, changed = changes(spec)
    told = ", ".join(f"`{key}` = {_short(value)}" for key, value in changed.items()) or "nothing"
    return "\n\n".join(
        [
            f"**{spec.system}** on **{data.name}**: {data.num_train:,} training and "
            f"{data.num_test:,} held-out {data.unit}, {data.schema.summary}.",
            f"Preset `{preset}`, changed: {told}.",
            f"Run `{spec.run_id}`, seed {spec.seed}. Losses of every stage are under *Model "
            "metrics*; scores on the held-out part are in *Overview*; pictures and `report.html` "
            "under *Artifacts*; the stages' own entries are below this one.",
        ]
    )


def made_by() -> dict[str, str]:
    """MLflow's tags of who made an entry, and with which command."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a number without a name, as in a container
        user = ""
    tags = {"mlflow.source.type": "LOCAL", "mlflow.source.name": Path(sys.argv[0]).name or "python"}
    return tags | ({"mlflow.user": user} if user else {})

"""A run in a process of its own, which kills itself where a test wants it: ``driver.py JSON``.

Keys of the JSON: ``words`` of the command line, ``log`` (a line for each progress), ``die_at`` a
stage (or none) and ``ray`` for the main job instead of ``scgan fit``.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch  # noqa: E402

from scgan.cli import (
    commands,  # noqa: E402
    console,  # noqa: E402
)
from scgan.cli import main as cli  # noqa: E402
from scgan.pipeline import executor as execution  # noqa: E402
from scgan.stages.tables import refine  # noqa: E402
from scgan.training import loop  # noqa: E402

CHECKPOINT_SECONDS = 0.2


def main(settings):
    torch.set_num_threads(1)
    execution.Runtime = functools.partial(execution.Runtime, checkpoint_every=CHECKPOINT_SECONDS)
    loop._Clock.REPORT_EVERY = refine._Growing.EVERY = 0.0
    log, die_at = Path(settings["log"]), settings.get("die_at")

    def die_in(stage):
        if stage == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    class Terminal(console.Terminal):
        def progress(self, stage, progress):
            with log.open("a") as file:
                file.write(f"{stage} {progress.samples}\n")
            if progress.samples > 0.4 * progress.total:
                die_in(stage)
            super().progress(stage, progress)

        def stage_started(self, stage, num_units):
            if stage == "cluster":
                die_in(stage)
            super().stage_started(stage, num_units)

        def stage_finished(self, stage, artifact, seconds):
            super().stage_finished(stage, artifact, seconds)
            if stage == "decode":
                die_in("evaluate")

    console.Terminal = Terminal
    sys.argv = ["scgan", *settings["words"]]

    if settings.get("ray"):
        from ray_jobs import full_pipeline

        sys.argv += ["--resources.checkpoint_seconds", str(CHECKPOINT_SECONDS)]
        commands.guarded(full_pipeline.main)
    else:
        sys.argv.insert(1, "fit")
        commands.guarded(cli.cli)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

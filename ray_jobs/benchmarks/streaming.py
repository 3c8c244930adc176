"""The main job on a table larger than memory, against a tenth of it: time, and memory."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
import ray  # noqa: F401  psutil is its own copy, found after it

# isort: split
import psutil

from ray_jobs.benchmarks.showing import show
from scgan.cli import commands

MAIN = Path(__file__).parents[1] / "full_pipeline.py"
NUM_COLUMNS = 8
NUM_PARTS = 20
NUM_MODES = 64
GIB = 2**30
_DONE = re.compile(r"^(\w+): done in ([\d.]+) s", re.MULTILINE)


def write_table(folder: Path, rows: int, seed: int = 0) -> None:
    """Write a mixture of 64 Gaussians in 8 float32 columns, sorted by mode, as 20 parquet files.

    Args:
        folder: Made where it is missing.
        rows: How many in all.
        seed: Of the rows.
    """
    import pyarrow as pa
    from pyarrow import parquet

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(NUM_MODES, NUM_COLUMNS)) * 4

    for part, share in enumerate(np.array_split(np.arange(rows), NUM_PARTS)):
        modes = share * NUM_MODES // rows
        x = (centres[modes] + rng.normal(size=(len(share), NUM_COLUMNS))).astype(np.float32)
        table = pa.table({f"x{i}": x[:, i] for i in range(NUM_COLUMNS)})
        parquet.write_table(
            table, folder / f"part-{part:02d}.parquet", compression="NONE", use_dictionary=False
        )


@dataclass
class Peaks:
    """The most memory that any process of each name had, in GiB.

    Attributes:
        rss: Resident, shared pages counted in every process that maps them.
        pss: Resident, a shared page counted in equal parts; looked at every two seconds, where it
            may be.
    """

    rss: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    pss: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def watch(self, pid: int, stop: threading.Event) -> None:
        """Look at a process and all its children until told to stop."""
        looked = 0.0
        while not stop.wait(0.25):
            full = time.monotonic() - looked > 2
            looked = time.monotonic() if full else looked

            for process in _family(pid):
                try:
                    name = _name(process)
                    self.rss[name] = max(self.rss[name], process.memory_info().rss / GIB)
                    if full and self.rss[name] > 0.2:
                        self.pss[name] = max(self.pss[name], process.memory_full_info().pss / GIB)
                except psutil.Error:
                    continue


def _family(pid: int) -> Iterator[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        yield parent
        yield from parent.children(recursive=True)
    except psutil.NoSuchProcess:
        return


def _name(process: psutil.Process) -> str:
    words = process.cmdline() or [process.name()]
    if words[0].startswith("ray::"):
        return words[0].split("(")[0]
    scripts = [word for word in words if word.endswith(".py")]
    return Path(scripts[0] if scripts else words[0]).name


def run_main(data: Path, store: Path, words: tuple[str, ...] = ()) -> dict[str, Any]:
    """Run the main job on streamed data in a process of its own, and watch its processes.

    Args:
        data: Folder of parquet files.
        store: Folder of its results.
        words: More of its command line.

    Returns:
        Seconds in all and by stage, and the largest processes with their peaks in GiB.

    Raises:
        RuntimeError: If it fails.
    """
    options = ["--data", str(data), "--data.stream", "true", "--store", str(store), *words]
    command = [sys.executable, str(MAIN), *options]
    start, peaks, stop = time.monotonic(), Peaks(), threading.Event()
    store.mkdir(parents=True, exist_ok=True)

    with (store / "main.log").open("w+") as log:
        process = subprocess.Popen(command, stderr=log, stdout=subprocess.DEVNULL)
        watcher = threading.Thread(target=peaks.watch, args=(process.pid, stop), daemon=True)
        watcher.start()
        process.wait()
        log.seek(0)
        said = log.read()

    stop.set()
    watcher.join()
    if process.returncode:
        why = said.splitlines()[-1] if said else process.returncode
        raise RuntimeError(f"the main job failed: {why}")

    largest = sorted(peaks.rss.items(), key=lambda item: -item[1])[:6]
    return {
        "seconds": time.monotonic() - start,
        "stages": {stage: float(seconds) for stage, seconds in _DONE.findall(said)},
        "peak_rss_gib": dict(largest),
        "peak_pss_gib": {name: peaks.pss[name] for name, _ in largest if name in peaks.pss},
    }


@click.command(context_settings=commands.FLEXIBLE)
@click.option("--rows", default=20_000_000, show_default=True, help="Of 8 float32 columns.")
@click.option("--folder", help="Of data and results; one that is removed at the end if not given.")
@click.pass_context
def stream(ctx: click.Context, rows: int, folder: str | None) -> None:
    """The main job on a streamed table, against a tenth of its rows: time, and processes' memory.

    Further words (--preset smoke) are the main job's.
    """
    seconds = []
    for number in (rows // 10, rows):
        with tempfile.TemporaryDirectory(dir=folder) as here:
            table, store = Path(here) / "table", Path(here) / "runs"
            write_table(table, number)
            measured = run_main(table, store, tuple(ctx.args))

        seconds.append(measured["seconds"])
        show(rows=number, **measured)

    show(ratio=seconds[1] / seconds[0])

"""Whether the tests notice: one-line mutations tried one at a time, each on a copy of the tree.

Every other module of this folder holds a table ``MUTANTS`` of ``(path, old, new, tests)``: a file,
a text that occurs once in it, what a careless hand makes of it, and the tests of which one must
fail then, files or ``file::test``. The working tree is never written to.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import importlib.util
import multiprocessing
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

WORKERS = 2
SECONDS = 240.0  # for the tests of one mutant; what takes longer hangs, and is noticed so
TREE = ("scgan", "ray_jobs", "tests", "docs", "pyproject.toml", "README.md", "cluster.yaml")
# Imported once, and then there in every process of tests that is forked.
PRELOAD = ["torch", "sklearn.cluster", "scipy.stats", "pandas", "pyarrow.parquet", "pytest"]
# Exit codes of pytest: all passed; tests that aren't there or can't be imported, none at all.
SURVIVED, NOTHING_RAN = {0}, {4, 5}
_processes = multiprocessing.get_context("forkserver")


class Mutant(NamedTuple):
    """A mutation of a file, and the tests that must notice it."""

    path: str
    old: str
    new: str
    tests: tuple[str, ...]

    def __str__(self) -> str:
        """The mutation on one line."""
        return " ".join(f"{self.path}: {self.old}  ->  {self.new}".split())


def read_tables(root: Path) -> list[Mutant]:
    """The entries of all tables of a tree, in the order of their files."""
    mutants = []
    for path in sorted((root / "tests" / "mutants").glob("*.py")):
        if path.name == "run.py" or path.name.startswith("test_"):
            continue
        spec = importlib.util.spec_from_file_location(f"mutants_{path.stem}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        mutants += [Mutant(*entry) for entry in module.MUTANTS]
    return mutants


def stale(mutant: Mutant, root: Path) -> str | None:
    """What is wrong with an entry: its text or a test's file is not there; None if nothing."""
    path = root / mutant.path
    times = path.read_text().count(mutant.old) if path.is_file() else 0
    if times != 1:
        return f"its text occurs {times} times"
    if mutant.old == mutant.new:
        return "it changes nothing"

    gone = [test for test in mutant.tests if not (root / test.partition("::")[0]).is_file()]
    return f"there is no {gone[0]}" if gone else None


@contextlib.contextmanager
def copies(root: Path) -> Iterator[SimpleQueue[Path]]:
    """Copies of the tree, one a worker, gone afterwards."""
    free: SimpleQueue[Path] = SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="scgan-mutants-") as folder:
        for number in range(WORKERS):
            copy = Path(folder, str(number))
            copy.mkdir()
            for name in TREE:
                if (root / name).is_dir():
                    ignore = shutil.ignore_patterns("__pycache__", ".*")
                    shutil.copytree(root / name, copy / name, ignore=ignore)
                elif (root / name).exists():
                    shutil.copy2(root / name, copy / name)

            compileall.compile_dir(str(copy), quiet=2)
            free.put(copy)
        yield free


def _run_tests(copy: str, tests: Sequence[str]) -> None:
    """Run tests in a process of their own, silently, and end it with pytest's exit code."""
    import pytest

    os.setsid()  # so that whatever they start can be ended with them
    os.chdir(copy)
    sys.path.insert(0, copy)
    os.environ["PYTHONPATH"] = copy
    sys.dont_write_bytecode = True  # a mutant's would be taken for the file's own
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    os._exit(int(pytest.main([*tests, "-x", "-q", "-p", "no:cacheprovider"])))


def exit_code(copy: Path, tests: Sequence[str]) -> int | None:
    """Pytest's exit code of some tests in a copy; None if they took too long."""
    process = _processes.Process(target=_run_tests, args=(str(copy), tests))
    process.start()
    process.join(SECONDS)
    late = process.is_alive()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid or 0, signal.SIGKILL)
    process.join()
    return None if late else process.exitcode


def verdict(mutant: Mutant, root: Path, free: SimpleQueue[Path]) -> str | None:
    """Try a mutant in a free copy; what is to be said of it, None if the tests noticed it."""
    copy = free.get()
    try:
        path = copy / mutant.path
        path.write_text(path.read_text().replace(mutant.old, mutant.new))
        code = exit_code(copy, mutant.tests)
    finally:
        shutil.copy2(root / mutant.path, copy / mutant.path)
        free.put(copy)

    if code is None:
        return "killed by time-out"
    if code in SURVIVED:
        return "SURVIVED"
    return "NOTHING RAN" if code in NOTHING_RAN else None


def passes(tests: Sequence[str], free: SimpleQueue[Path]) -> bool:
    """Whether tests pass in a copy as it is: what fails anyway notices nothing."""
    copy = free.get()
    try:
        return exit_code(copy, tests) == 0
    finally:
        free.put(copy)


def try_all(mutants: Sequence[Mutant], root: Path) -> int:
    """Try mutants, each with its tests, and print those that survive.

    Returns:
        How many survived; or, before any was tried, of how many the tests fail anyway.
    """
    start, bad = time.monotonic(), 0
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    _processes.set_forkserver_preload(PRELOAD)

    with copies(root) as free, ThreadPoolExecutor(WORKERS) as pool:
        every = sorted({mutant.tests for mutant in mutants})
        sound = pool.map(lambda tests: passes(tests, free), every)
        failing = [tests for tests, passed in zip(every, sound, strict=True) if not passed]
        for tests in failing:
            print(f"FAILS WITHOUT A MUTANT  {' '.join(tests)}", flush=True)
        if failing:
            return len(failing)

        verdicts = pool.map(lambda mutant: verdict(mutant, root, free), mutants)
        for mutant, said in zip(mutants, verdicts, strict=True):
            if said is not None:
                print(f"{said}  {mutant}", flush=True)
                bad += not said.startswith("killed")

    seconds, num = time.monotonic() - start, len(mutants)
    print(f"{num} mutants, {num - bad} killed, {bad} survived, {seconds:.0f} s")
    return bad


def main(words: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a regular expression over path, old and new")
    parser.add_argument("--list", action="store_true", help="print the mutants, try none")
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[2], help="of the tree")
    given = parser.parse_args(words)

    every = read_tables(given.root)
    mutants = [mutant for mutant in every if re.search(given.only, str(mutant))]
    if given.list:
        print(*mutants, sep="\n")
        return 0

    wrong = [(mutant, why) for mutant in mutants if (why := stale(mutant, given.root)) is not None]
    for mutant, why in wrong:
        print(f"STALE ({why})  {mutant}")
    return 1 if wrong or try_all(mutants, given.root) else 0


if __name__ == "__main__":
    sys.exit(main())

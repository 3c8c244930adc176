"""SIGTERM, with which ``ray job stop`` ends a job: as Ctrl-C does, with whatever is open closed.

Ray kills what is still alive three seconds later.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

import click

TERMINATED = 128 + signal.SIGTERM  # a shell's exit code of a process that SIGTERM ended

_terminated = threading.Event()


@contextlib.contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM raise ``SystemExit`` from within, and end with 143 then, saying so.

    Raises:
        SystemExit: With 143 after a SIGTERM.
    """
    before = signal.getsignal(signal.SIGTERM)
    catch_sigterm()
    try:
        yield
    except BaseException as end:
        if not _terminated.is_set():
            raise

        click.echo("stopped; the same command goes on", err=True)
        # Where Ray was being waited for, it has made the code 1.
        raise SystemExit(TERMINATED) from end
    finally:
        _terminated.clear()
        signal.signal(signal.SIGTERM, before)


def catch_sigterm() -> None:
    """Set the handler; again where Ray, connected in the main thread, has just set its own."""

    def end(*signal_and_frame: Any) -> None:
        _terminated.set()
        raise SystemExit(TERMINATED)

    signal.signal(signal.SIGTERM, end)

"""A call now and then while something takes its time: a sign of life."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def heartbeat(beat: Callable[[], object], every: float = 5.0) -> Iterator[None]:
    """Within it, a thread calls ``beat`` at once and every so many seconds."""
    stop = threading.Event()

    def loop() -> None:
        beat()
        while not stop.wait(every):
            beat()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()

    try:
        yield
    finally:
        stop.set()
        thread.join()

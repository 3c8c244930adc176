"""Calls to an MLflow server that may be away: kept in order, and sent when it is there."""

from __future__ import annotations

import logging
import re
import time
from collections import deque
from collections.abc import Callable

_log = logging.getLogger(__name__)

# Errors that another try will not mend.
_HOPELESS = {
    "BAD_REQUEST",
    "ENDPOINT_NOT_FOUND",
    "INVALID_PARAMETER_VALUE",
    "INVALID_STATE",
    "MALFORMED_REQUEST",
    "NOT_IMPLEMENTED",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
}


class Outbox:
    """Calls to a server that may be away, in order; one that fails is kept, with all after it."""

    def __init__(self, retry_after: float) -> None:
        self.calls: deque[Callable[[], None]] = deque()
        self._retry_after = retry_after
        self._wait_until = 0.0
        self._warned = False

    def put(self, call: Callable[[], None]) -> None:
        """Add a call, to be made by the next :meth:`flush`."""
        self.calls.append(call)

    def flush(self, *, at_once: bool = False) -> None:
        """Make the calls that are kept, unless the server has just failed and may rest."""
        if time.monotonic() < self._wait_until and not at_once:
            return

        while self.calls:
            start = time.monotonic()
            try:
                self.calls[0]()
            except Exception as error:
                if not self._hopeless(error):
                    now = (
                        time.monotonic()
                    )  # waiting for a silent server takes a sixth of a run's time at most
                    self._wait_until = now + max(self._retry_after, 5 * (now - start))
                    return

            self.calls.popleft()

        self._wait_until, self._warned = 0.0, False

    def _hopeless(self, error: Exception) -> bool:
        """Whether a call is given up; said once an outage, and for each call that is given up."""
        given_up = getattr(error, "error_code", None) in _HOPELESS
        if given_up:
            _log.warning("MLflow refused an entry, which is left out: %s", one_line(error))
        elif not self._warned:
            _log.warning(
                "MLflow can't be reached; the run goes on, and logs later (%s)", one_line(error)
            )
            self._warned = True

        return given_up


def redacted(uri: str) -> str:
    """An address without the password in it."""
    return re.sub(r"(://[^/:@]*):[^/@]*@", r"\1:***@", uri)


def one_line(error: BaseException) -> str:
    """An error's message on one line, short, without passwords."""
    text = redacted(" ".join(str(error).split()))
    if "Max retries exceeded" in text:  # in a paragraph about a pool of connections
        return "no server answers there"
    return f"{text[:240]}..." if len(text) > 240 else text or type(error).__name__

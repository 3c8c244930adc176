"""What is said of data beside errors, on stderr where nobody set up logging."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

NUM_NAMED = 5  # of files and other things in a message

_log = logging.getLogger(__name__)
_addresses: dict[str, str] = {}


def tell(source: object, text: str) -> None:
    """Say something about a table or images.

    Args:
        source: Where they are from; a copy of what is elsewhere is called by its address.
        text: What is to be said.
    """
    _log.warning("%s: %s", shown(source), text)


@contextmanager
def shown_as(path: Path, address: str) -> Iterator[None]:
    """Within it, a path is shown as the address of which it is a copy."""
    _addresses[str(path)] = address
    try:
        yield
    finally:
        del _addresses[str(path)]


def shown(text: object) -> str:
    """A text in which copies are called by their addresses."""
    words = str(text)
    for path, address in _addresses.items():
        words = words.replace(path, address)
    return words


def listed(names: Sequence[object], most: int = NUM_NAMED) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(map(str, names[:most]))}{more}"

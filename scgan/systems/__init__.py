"""One file a paper. A system is found by its module's name; there is no list to add it to."""

from __future__ import annotations

import importlib
import pkgutil

from scgan.config import suggest
from scgan.contract import System


def available() -> list[str]:
    """Names of the systems, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load(name: str) -> System:
    """The system of that name.

    Raises:
        ValueError: If there is none; the nearest is named.
    """
    if name not in available():
        raise ValueError(f"unknown system {name!r}{suggest(name, available())}")
    system: System = importlib.import_module(f"{__name__}.{name}").SYSTEM
    return system

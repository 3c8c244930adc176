"""scgan: generative models of data on discontinuous manifolds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scgan.estimator import SCGAN

__version__ = "0.1.0"
__all__ = ["SCGAN", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the estimator, and scikit-learn with it, when it is first asked for."""
    if name == "SCGAN":
        from scgan.estimator import SCGAN

        return SCGAN
    raise AttributeError(f"module 'scgan' has no attribute {name!r}")

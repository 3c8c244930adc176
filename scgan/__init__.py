"""scgan: generative models of data on discontinuous manifolds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scgan.estimator import MMGAN, NEMGAN, SCGAN

__version__ = "0.1.0"
__all__ = ["MMGAN", "NEMGAN", "SCGAN", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the estimators, and scikit-learn with them, when one is first asked for."""
    if name in __all__:
        from scgan import estimator

        return getattr(estimator, name)
    raise AttributeError(f"module 'scgan' has no attribute {name!r}")

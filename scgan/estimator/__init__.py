"""Systems as scikit-learn estimators."""

from scgan.estimator.mmgan import MMGAN
from scgan.estimator.nemgan import NEMGAN
from scgan.estimator.scgan import SCGAN

__all__ = ["MMGAN", "NEMGAN", "SCGAN"]

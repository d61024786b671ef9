"""What both training scripts share: the regression, and the comparison with a head that is shipped."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

FOLDS = 10
STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
# Weights are stored with this many decimals.
DIGITS = 5


def logistic(strength: float) -> LogisticRegression:
    """Return a logistic regression that is not fitted yet.

    It minimises `strength * weighted log loss + |weights|^2 / 2`. Classes are weighted to equal shares, so the prior is
    the same for each, however common it is among the rows.
    """
    # scikit-learn's default tolerance stops too early: weights would be off in the second decimal.
    return LogisticRegression(C=strength, class_weight="balanced", tol=1e-8, max_iter=5000)


def comparison(new: tuple[Any, Any], shipped: tuple[Any, Any], same: Any) -> str:
    """Say in one line how far a fit is from the shipped head, each given as weights and bias."""
    far = max(float(np.abs(np.asarray(one) - np.asarray(other)).max()) for one, other in zip(new, shipped, strict=True))
    return (
        f"against the shipped head: weights differ by at most {far:.5f}; {np.sum(same)} of {np.size(same)} labels agree"
    )

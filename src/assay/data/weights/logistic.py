"""Logistic regression as ``shift`` uses it: deterministic, whatever the number of threads."""

from __future__ import annotations

import warnings
from typing import Any

ITERATIONS = 1000


def fitted(x: Any, y: Any, c: float) -> tuple[Any, bool]:
    """scikit-learn's ``LogisticRegression`` on rows (n, D) and classes (n,), and whether it came to its end.

    L-BFGS from zero draws nothing; on one thread, sums are made in one order.

    Args:
        c: C, the inverse strength of the squared penalty: minimised is C Σ loss + ‖w‖²/2.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    model = LogisticRegression(C=c, max_iter=ITERATIONS)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x, y)
    return model, bool(max(model.n_iter_) < ITERATIONS)

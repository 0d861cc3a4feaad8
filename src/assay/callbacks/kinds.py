"""What diagnostics know without torch: the kind of an option's units, for rules; of a curvature, for the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def of_rnn(node: Mapping[str, Any]) -> set[str]:
    """``rectified`` or ``squashed``: what model=rnn and model=rnnlu put their states through."""
    return {"rectified" if node.get("nonlinearity") == "relu" else "squashed"}


def curvature(low: float, high: float, tolerance: float) -> str:
    """What eigenvalues from ``low`` to ``high`` are those of: ``minimum``, ``maximum``, ``saddle``, or ``flat`` where
    there are none. What is within ``tolerance`` of the larger modulus counts as 0."""
    size = tolerance * max(abs(low), abs(high))
    if not size > 0:
        return "flat" if size == 0 else "not finite"
    if low < -size and high > size:
        return "saddle"
    return "minimum" if high > size else "maximum"

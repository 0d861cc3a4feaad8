"""What a weighting finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

_SHOWN = 6  # classes of a note


class Weighed(NamedTuple):
    """``each`` (N,) float64, one weight for each training example, and ``note``, a line for the first screen."""

    each: Tensor
    note: str


def by_class(weights: Tensor, label: Tensor, names: Sequence[str]) -> Weighed:
    """Every example has its class's weight, scaled to a mean of 1 over the examples.

    Args:
        weights: of the classes, (C,) float64; any value for a class without examples.
        label: of the training examples, (N,) int64.
        names: of the classes.
    """
    weights = weights / weights[label].mean()
    here = [number for number in range(len(weights)) if (label == number).any()]
    if len(here) > _SHOWN:
        here.sort(key=lambda number: float(weights[number]))
        low, high = here[0], here[-1]
        note = f"from {weights[low]:.3g} of {names[low]} to {weights[high]:.3g} of {names[high]}"
        return Weighed(weights[label], note)
    return Weighed(weights[label], ", ".join(f"{names[n]} {weights[n]:.3g}" for n in here))

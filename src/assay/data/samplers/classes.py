"""Which positions belong to which class, and a few of a class drawn anew each epoch."""

from __future__ import annotations

import torch
from torch import Tensor


def members(label: Tensor) -> list[Tensor]:
    """Positions of each class that has any, ascending: (N,) int64 -> one (count,) int64 a class, by class number."""
    return [torch.nonzero(label == number)[:, 0] for number in label.unique().tolist()]


def drawn(positions: Tensor, draws: Tensor, count: int) -> Tensor:
    """``count`` different ones of ``positions``: those with the least of the numbers ``draws`` (N,) of all examples."""
    return positions[draws[positions].argsort(stable=True)[:count]]

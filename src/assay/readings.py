"""Readings: what evaluation keeps of each example, by name; rows are examples.

A reading of positions (B, T) may have another T in each batch; joined, rows are filled up with -1 to the longest, so a
task whose readings have positions must be able to tell that value from its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

FILL = -1


def join(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Readings of batches, one after the other."""
    return {name: cat([part[name] for part in parts]) for name in parts[0]}


def cat(values: Sequence[Tensor]) -> Tensor:
    """Rows after rows; (n, T) and (n, T, …) of different T as long as the longest."""
    longest = max((value.shape[1] for value in values if value.dim() > 1), default=0)
    return torch.cat([widened(value, longest) for value in values])


def widened(value: Tensor, length: int) -> Tensor:
    """(n, T, …) -> (n, length, …)."""
    if value.dim() < 2 or value.shape[1] == length:
        return value
    return F.pad(value, (0, 0) * (value.dim() - 2) + (0, length - value.shape[1]), value=FILL)

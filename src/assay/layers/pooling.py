"""From one vector per position to one per example."""

from __future__ import annotations

import torch
from torch import Tensor


def mean_valid(states: Tensor, mask: Tensor | None) -> Tensor:
    """The mean over valid positions; zero where an example has none.

    Shape:
        states (B, T, H), mask (B, T) bool or None -> (B, H)
    """
    if mask is None:
        return states.mean(1)
    share = mask.to(states.dtype) / mask.sum(1, keepdim=True).clamp(min=1)  # (B, T)
    return torch.bmm(share.unsqueeze(1), states).squeeze(1)

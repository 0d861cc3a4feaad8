"""From one vector per position to one per example."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def mean_valid(states: Tensor, mask: Tensor | None) -> Tensor:
    """The mean over valid positions; zero where an example has none.

    Shape:
        states (B, T, H), mask (B, T) bool or None -> (B, H)
    """
    if mask is None:
        return states.mean(1)
    share = mask.to(states.dtype) / mask.sum(1, keepdim=True).clamp(min=1)  # (B, T)
    return torch.bmm(share.unsqueeze(1), states).squeeze(1)


def max_valid(states: Tensor, mask: Tensor | None) -> Tensor:
    """The maximum of each feature over valid positions; zero where an example has none.

    Shape:
        states (B, T, H), mask (B, T) bool or None -> (B, H)
    """
    if mask is None:
        return states.amax(1)
    found = states.masked_fill(~mask.unsqueeze(-1), -torch.inf).amax(1)
    return torch.where(mask.any(1, keepdim=True), found, torch.zeros_like(found))


def k_max_valid(states: Tensor, mask: Tensor | None, k: int) -> Tensor:
    """The k largest of each feature over valid positions, in the order of the positions; zeros after them where there
    are fewer. Of equal values the earlier position is taken, so that padding cannot change the choice.

    Kalchbrenner, Grefenstette and Blunsom, "A Convolutional Neural Network for Modelling Sentences", 2014,
    arXiv:1404.2188, section 3.2.

    Shape:
        states (B, T, H), mask (B, T) bool or None -> (B, k·H), the first of all features, then the second, …
    """
    valid = torch.ones_like(states[..., :1], dtype=torch.bool) if mask is None else mask.unsqueeze(-1)  # (B, T, 1)
    ranked = states.masked_fill(~valid, -torch.inf).sort(dim=1, descending=True, stable=True).indices
    chosen = ranked[:, :k].sort(1).values  # (B, k or T, H)
    found = states.gather(1, chosen) * valid.expand_as(states).gather(1, chosen)
    missing = k - found.shape[1]
    return F.pad(found, (0, 0, 0, missing)).flatten(1)

"""What a label says of its classes: one class, several labels, or a distribution (see cross_entropy)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot


def under_label(values: Tensor, label: Tensor, mask: Tensor | None) -> Tensor:
    """Σ_c q_c v_c, q as the label says: v at the label, where it is one class.

    Shape:
        values (…, C) with label (…) int64 or (…, C) float; values (B, L, 2) with label (B, L) float -> (…)
    """
    if not label.is_floating_point():
        if mask is not None:
            label = label.masked_fill(~mask, 0)  # what pads need not be a class
        return values.gather(-1, label.unsqueeze(-1)).squeeze(-1)
    if label.shape == values.shape:
        return (label * values).sum(-1)
    _check(label, values)
    return label * values[..., 1] + (1 - label) * values[..., 0]


def distribution(label: Tensor, log_probs: Tensor, mask: Tensor | None) -> Tensor:
    """q itself, of the shape and type of ``log_probs``."""
    if not label.is_floating_point():
        if mask is not None:
            label = label.masked_fill(~mask, 0)
        return one_hot(label, log_probs.shape[-1]).to(log_probs.dtype)
    if label.shape != log_probs.shape:
        _check(label, log_probs)
        label = torch.stack([1 - label, label], -1)  # (B, L, 2)
    return label.to(log_probs.dtype)


def _check(label: Tensor, values: Tensor) -> None:
    assert (*label.shape, 2) == values.shape, f"label {label.shape} for log_probs {values.shape}"

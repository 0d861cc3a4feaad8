"""Gradient clipping, by joint norm or by value; on the device, without waiting for it."""

from __future__ import annotations

import torch
from torch import Tensor


class ClipNorm:
    """g ← g · min(1, max_norm / ‖g‖₂), the norm taken over all gradients together.

    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013, algorithm 1.

    Args:
        max_norm: the largest norm that is left alone.
    """

    def __init__(self, max_norm: float) -> None:
        self.max_norm = max_norm

    def __call__(self, parameters: list[Tensor]) -> Tensor | None:
        """Scales the gradients in place; returns their norm before it, None where there are none."""
        grads = [p.grad for p in parameters if p.grad is not None]
        if not grads:
            return None
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(grads)))
        torch._foreach_mul_(grads, (self.max_norm / norm).clamp(max=1.0))
        return norm


class ClipValue:
    """g ← max(-max_value, min(max_value, g)), entry by entry.

    Args:
        max_value: the largest absolute value that is left alone.
    """

    def __init__(self, max_value: float) -> None:
        self.max_value = max_value

    def __call__(self, parameters: list[Tensor]) -> None:
        grads = [p.grad for p in parameters if p.grad is not None]
        if grads:
            torch._foreach_clamp_min_(grads, -self.max_value)
            torch._foreach_clamp_max_(grads, self.max_value)

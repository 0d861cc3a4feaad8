"""Clipping of gradients, in place, before the optimiser's step; nothing waits for the device."""

from __future__ import annotations

from torch import Tensor, nn


class ClipNorm:
    """g ← g · min(1, max_norm / ‖g‖), ‖g‖ the L2 norm of all gradients together.

    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013, arXiv:1211.5063,
    algorithm 1. Differs from the paper: 1e-6 is added to ‖g‖, as torch does, so that zero divides.

    Args:
        max_norm: the largest norm let through.
    """

    def __init__(self, max_norm: float) -> None:
        self.max_norm = max_norm

    def __call__(self, parameters: list[Tensor]) -> Tensor:
        """Returns the norm before clipping, still on the device."""
        return nn.utils.clip_grad_norm_(parameters, self.max_norm, foreach=True)


class ClipValue:
    """g ← min(max(g, -max_value), max_value), entry by entry.

    Args:
        max_value: the largest magnitude let through.
    """

    def __init__(self, max_value: float) -> None:
        self.max_value = max_value

    def __call__(self, parameters: list[Tensor]) -> None:
        nn.utils.clip_grad_value_(parameters, self.max_value, foreach=True)

"""Where augmentations draw: several uniform numbers per example, each keyed by (seed, epoch, example, name, place)."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.layers.random import example_uniform

_STRIDE = 4294967311  # a prime above 2^32: how many numbers an example has under one name


def uniforms(seed: int, epoch: int, index: Tensor, name: str, count: int) -> Tensor:
    """(B, count) float64 in [0, 1). Number k of an example is the same whatever else is in its batch and whatever
    ``count`` is, so that padding, micro-batches and processes change no draw.

    Args:
        seed, epoch: of the run.
        index: (B,) int64, the examples' stable numbers.
        name: of the draw: two draws of one example are independent if their names differ.
        count: numbers per example.
    """
    place = index[:, None] * _STRIDE + torch.arange(count, device=index.device)  # (B, count)
    return example_uniform(seed, epoch, place, name)


def between(u: Tensor, low: float, high: float) -> Tensor:
    """Uniform in [low, high) from uniform in [0, 1)."""
    return low + u * (high - low)


def whole(u: Tensor, count: Tensor | int) -> Tensor:
    """Uniform among the integers 0 … count - 1, int64, from uniform in [0, 1)."""
    return (u * count).floor().to(torch.int64)

"""Where in a sequence a vector stands: added (sinusoidal, learned) or rotated into queries and keys (rotary)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from assay.errors import ConfigError


def sinusoids(length: int, size: int, like: Tensor) -> Tensor:
    """PE(t, 2i) = sin(t / 10000^(2i / size)), PE(t, 2i+1) = cos(same) -> (T, size).

    Vaswani et al., "Attention Is All You Need", 2017, section 3.5.
    """
    steps = torch.arange(length, device=like.device, dtype=like.dtype)
    angles = steps[:, None] * _frequencies(size, like)  # (T, ceil(size / 2))
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, :size]


def _frequencies(size: int, like: Tensor) -> Tensor:
    return 10000.0 ** (-torch.arange(0, size, 2, device=like.device, dtype=like.dtype) / size)


class Sinusoidal(nn.Module):
    """x + PE: x (B, T, D) -> the same."""

    def forward(self, x: Tensor) -> Tensor:
        return x + sinusoids(x.shape[1], x.shape[2], x)


class Learned(nn.Module):
    """x + P[t], one learned vector per position, as BERT and GPT-2 have them.

    Raises:
        ConfigError: a sequence is longer than ``max_length``.
    """

    def __init__(self, max_length: int, size: int) -> None:
        super().__init__()
        self.max_length = max_length
        self.table = nn.Parameter(torch.randn(max_length, size) * 0.02)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] > self.max_length:
            raise ConfigError(
                f"a sequence of {x.shape[1]} is longer than the learned positions: set model.max_length={x.shape[1]} "
                "or model.positions=sinusoidal"
            )
        return x + self.table[: x.shape[1]]


def rotate(x: Tensor) -> Tensor:
    """Turns each pair (x_2i, x_2i+1) by the angle t / 10000^(2i / D), so that a product of query and key depends on
    their distance alone: x (B, N, T, D), D even -> the same.

    Su et al., "RoFormer", 2021, arXiv:2104.09864, equation 34.
    """
    angles = torch.arange(x.shape[-2], device=x.device, dtype=x.dtype)[:, None] * _frequencies(x.shape[-1], x)
    sin, cos = angles.sin(), angles.cos()  # (T, D / 2)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)

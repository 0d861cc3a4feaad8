"""A convolutional net in LeNet's pattern."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from assay.contracts import Encoded
from assay.errors import ConfigError
from assay.layers.random import Dropout


class CNN(nn.Module):
    """Blocks of convolution → normalisation → activation → 2x2 pooling, then a hidden layer.

    LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998, section II.B.
    Differs from LeNet-5: the input is padded so that a convolution keeps its size, pooling has no weights, and the
    head is linear. A convolution before a normalisation has no bias: its shift would be subtracted again.

    Args:
        input_size: (C, H, W).
        channels: of each convolution.
        kernel_size: odd, of every convolution.
        pool: ``max`` or ``average``, 2x2 after each convolution while both sides are larger than one.
        hidden_size: of the layer after them.
        activation: makes an activation.
        normalization: makes a normalisation of so many channels.
        dropout: probability, before the head.
    Shape:
        x (B, C, H, W) -> last (B, hidden_size)
    Raises:
        ConfigError: the kernel is even, or pool is neither.
    """

    def __init__(
        self,
        input_size: tuple[int, ...],
        channels: list[int],
        kernel_size: int,
        pool: str,
        hidden_size: int,
        activation: Callable[[], nn.Module],
        normalization: Callable[[int, int], nn.Module],
        dropout: float,
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ConfigError(f"model.kernel_size={kernel_size} is even, which has no middle; use {kernel_size + 1}")
        if pool not in ("max", "average"):
            raise ConfigError(f"model.pool={pool} is not max or average")
        depth, height, width = input_size
        blocks: list[nn.Module] = []
        for number in channels:
            norm = normalization(number, 2)
            plain = isinstance(norm, nn.Identity)
            blocks += [nn.Conv2d(depth, number, kernel_size, padding=kernel_size // 2, bias=plain), norm, activation()]
            if height > 1 and width > 1:
                blocks.append(nn.MaxPool2d(2) if pool == "max" else nn.AvgPool2d(2))
                height, width = height // 2, width // 2
            depth = number
        self.blocks = nn.Sequential(*blocks)
        self.hidden = nn.Sequential(
            nn.Flatten(), nn.Linear(depth * height * width, hidden_size), activation(), Dropout(dropout)
        )
        self.output_size = hidden_size

    def forward(self, x: Tensor, mask: Tensor | None = None, state: Any = None) -> Encoded:
        return Encoded(None, self.hidden(self.blocks(x)))  # (B, C, H, W) -> (B, channels, h, w) -> (B, hidden_size)

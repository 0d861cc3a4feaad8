"""A small net of depthwise-separable convolutions, to be taught by a large one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from assay.contracts import Encoded
from assay.errors import ConfigError
from assay.layers.channels import Group, columns, rows, scales, separate
from assay.layers.normalization import has_shift
from assay.layers.random import Dropout
from assay.layers.rates import rates


class Student(nn.Module):
    """Blocks of depthwise 3x3 convolution, normalisation, activation, pointwise 1x1 convolution and 2x2 max-pooling;
    then the mean over the pixels.

    Howard et al., "MobileNets", 2017, arXiv:1704.04861, sections 3.1 and 3.3 for the two convolutions and the width
    multiplier. Differs from the paper: normalisation (batch) and activation (ReLU6) stand after the depthwise
    convolution only, pooling takes the place of strides, and there is no full convolution first: a grey image passes
    ``depth_multiplier`` 3x3 filters before it spreads to many maps (of one, all maps are multiples). A block does
    not pool once a side of the map is one pixel.

    Args:
        input_size: (C, H, W) of an example.
        channels: maps of each block before the multiplier.
        depth_multiplier: depthwise filters for each channel of the image, in the first block.
        width_mult: multiplies the maps of every block, rounded, one at least.
        activation: makes a block's activation.
        normalization: makes a block's normalisation; where it adds a shift, the depthwise convolution has no bias.
        dropout: probability that an entry is dropped, before the head; a list has one after each block, then that.
    Shape:
        x (B, C, H, W) -> last (B, maps of the last block)
    Raises:
        ConfigError: the images' size varies, there is no block, or not as many rates as blocks and one.
    """

    def __init__(
        self,
        input_size: tuple[int | None, ...],
        channels: list[int],
        depth_multiplier: int,
        width_mult: float,
        activation: Callable[[], nn.Module],
        normalization: Callable[..., nn.Module],
        dropout: float | list[float],
    ) -> None:
        super().__init__()
        depth, height, width = input_size
        if depth is None or height is None or width is None:
            raise ConfigError("model=student needs images of one size: use data.size=…")
        if not channels:
            raise ConfigError("model.channels=[] leaves no block: write the maps of one at least, as [32]")
        blocks: list[nn.Module] = []
        read, depth = depth, depth * depth_multiplier
        *dropped, last = rates(dropout, [False] * len(channels) + [True])
        for maps, rate in zip(channels, dropped, strict=True):
            size = max(1, round(maps * width_mult))
            norm = normalization(depth, spatial_dims=2)
            block = [
                nn.Conv2d(read, depth, 3, padding=1, groups=read, bias=not has_shift(norm)),
                norm,
                activation(),
                nn.Conv2d(depth, size, 1, bias=False),  # the next normalisation, or the head, shifts
            ]
            if height > 1 and width > 1:
                block.append(nn.MaxPool2d(2))
                height, width = height // 2, width // 2
            if rate:
                block.append(Dropout(rate))
            blocks.append(nn.Sequential(*block))
            read = depth = size
        self.blocks = nn.Sequential(*blocks)
        self.dropout = Dropout(last)
        self.output_size = depth

    def forward(self, x: Tensor, mask: Tensor | None = None, state: None = None) -> Encoded:
        assert mask is None, "an image has no padded positions"
        return Encoded(None, self.dropout(self.blocks(x).mean((2, 3))))

    def channel_groups(self) -> list[Group]:
        """What a pointwise convolution makes and the next block's depthwise one filters; the last outputs stay."""
        found = []
        blocks: list[Any] = list(self.blocks)
        for i, (block, after) in enumerate(pairwise(blocks)):
            if separate(after[1]):
                made, norm = f"blocks.{i}.3", f"blocks.{i + 1}.1"
                making = (*rows(made, block[3]), *rows(f"blocks.{i + 1}.0", after[0]), *rows(norm, after[1]))
                gammas = tuple(scales(norm, after[1]))
                found.append(Group(made, len(block[3].weight), making, (columns(f"blocks.{i + 1}.3"),), gammas))
        return found

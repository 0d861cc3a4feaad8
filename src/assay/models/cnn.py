"""Convolutional net in LeNet's pattern."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from assay.contracts import Encoded
from assay.errors import ConfigError
from assay.layers.channels import OUTPUT, Group, Slice, chain
from assay.layers.normalization import has_shift
from assay.layers.random import Dropout
from assay.layers.rates import rates


class CNN(nn.Module):
    """Blocks of convolutions, each normalised and activated, and 2x2 pooling; then one hidden layer over the flat map.

    LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition", 1998, section II;
    two and more convolutions before a pooling are Simonyan and Zisserman's, 2015, arXiv:1409.1556, section 2.1.
    Differs from the papers: convolutions keep the image's size (zeros around it), every map sees all maps below,
    pooling has no trained scale, and a block stops pooling once a side of the map is one pixel.

    Args:
        input_size: (C, H, W) of an example.
        channels: of each block's convolutions.
        convolutions: of each block, before its pooling.
        kernel_size: side of the convolutions.
        pool: ``max`` or ``average``.
        hidden_size: of the layer before the head.
        activation: makes an activation.
        normalization: makes a convolution's normalisation; where it adds a shift, the convolution has no bias.
        dropout: probability that a hidden unit is dropped; a list has one for each block, then that.
    Shape:
        x (B, C, H, W) -> last (B, hidden_size)
    Raises:
        ConfigError: the images' size varies, pool is something else, or there are not as many rates as layers.
    """

    def __init__(
        self,
        input_size: tuple[int | None, ...],
        channels: list[int],
        convolutions: int,
        kernel_size: int,
        pool: str,
        hidden_size: int,
        activation: Callable[[], nn.Module],
        normalization: Callable[..., nn.Module],
        dropout: float | list[float],
    ) -> None:
        super().__init__()
        depth, height, width = input_size
        if depth is None or height is None or width is None:
            raise ConfigError("model=cnn needs images of one size: use data.size=…")
        pools = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}
        if pool not in pools:
            raise ConfigError(f"model.pool={pool} is not one of {', '.join(pools)}")
        before = (kernel_size - 1) // 2
        after = kernel_size - 1 - before
        blocks: list[nn.Module] = []
        *dropped, rate = rates(dropout, [False] * len(channels) + [True])
        for size, after_block in zip(channels, dropped, strict=True):
            for _ in range(convolutions):
                norm = normalization(size, spatial_dims=2)
                if before != after:  # an even kernel has one more pixel after the centre than before
                    blocks.append(nn.ZeroPad2d((before, after, before, after)))
                padding = before if before == after else 0
                blocks += [nn.Conv2d(depth, size, kernel_size, padding=padding, bias=not has_shift(norm)), norm]
                blocks.append(activation())
                depth = size
            if height > 1 and width > 1:
                blocks.append(pools[pool](2))
                height, width = height // 2, width // 2
            if after_block:
                blocks.append(Dropout(after_block))
        self.blocks = nn.Sequential(*blocks)
        self.hidden = nn.Sequential(
            nn.Flatten(), nn.Linear(depth * height * width, hidden_size), activation(), Dropout(rate)
        )
        self.output_size = hidden_size

    def forward(self, x: Tensor, mask: Tensor | None = None, state: None = None) -> Encoded:
        assert mask is None, "an image has no padded positions"
        return Encoded(None, self.hidden(self.blocks(x)))

    def channel_groups(self) -> list[Group]:
        blocks = ((f"blocks.{name}", module) for name, module in self.blocks.named_children())
        hidden = ((f"hidden.{name}", module) for name, module in self.hidden.named_children())
        return chain([*blocks, *hidden], Slice(OUTPUT))

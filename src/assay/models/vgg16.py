"""VGG with 16 weighted layers."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from assay.contracts import Encoded
from assay.errors import ConfigError
from assay.layers.channels import OUTPUT, Group, Slice, chain
from assay.layers.normalization import has_shift
from assay.layers.random import Dropout
from assay.layers.rates import rates


class VGG16(nn.Module):
    """Thirteen 3x3 convolutions in five blocks, each closed by 2x2 max-pooling, then two hidden layers and the head.

    Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2015,
    arXiv:1409.1556, configuration D. Weights start as He et al. 2015, arXiv:1502.01852 (N(0, 2/fan_in)), where the
    paper trains a shallower net first. Differs from the paper: widths and normalisation are parts (the paper's are 64
    and 4096, and none); a block does not pool once a side of the map is one pixel, so that images below 32x32, which
    five poolings would leave without a pixel, can be read.

    Args:
        input_size: (C, H, W) of an example.
        width: maps of the first block; 2, 4, 8 and 8 times as many in the others.
        hidden_size: of the two layers before the head.
        activation: makes an activation.
        normalization: makes a convolution's normalisation; where it adds a shift, the convolution has no bias.
        dropout: probability that a hidden unit is dropped; a list has one for each of the five blocks, after its
            pooling, then one for each of the two hidden layers.
    Shape:
        x (B, C, H, W) -> last (B, hidden_size)
    Raises:
        ConfigError: the images' size varies, or there are not seven rates.
    """

    def __init__(
        self,
        input_size: tuple[int | None, ...],
        width: int,
        hidden_size: int,
        activation: Callable[[], nn.Module],
        normalization: Callable[..., nn.Module],
        dropout: float | list[float],
    ) -> None:
        super().__init__()
        channels, height, side = input_size
        if channels is None or height is None or side is None:
            raise ConfigError("model=vgg16 needs images of one size: use data.size=…")
        layers: list[nn.Module] = []
        *dropped, first, second = rates(dropout, [False] * 5 + [True] * 2)
        for (count, factor), rate in zip(((2, 1), (2, 2), (3, 4), (3, 8), (3, 8)), dropped, strict=True):
            for _ in range(count):
                norm = normalization(factor * width, spatial_dims=2)
                conv = nn.Conv2d(channels, factor * width, 3, padding=1, bias=not has_shift(norm))
                layers += [_started(conv), norm, activation()]
                channels = factor * width
            if height > 1 and side > 1:
                layers.append(nn.MaxPool2d(2))
                height, side = height // 2, side // 2
            if rate:
                layers.append(Dropout(rate))
        self.layers = nn.Sequential(*layers)
        self.hidden = nn.Sequential(
            nn.Flatten(),
            *(_started(nn.Linear(channels * height * side, hidden_size)), activation(), Dropout(first)),
            *(_started(nn.Linear(hidden_size, hidden_size)), activation(), Dropout(second)),
        )
        self.output_size = hidden_size

    def forward(self, x: Tensor, mask: Tensor | None = None, state: None = None) -> Encoded:
        assert mask is None, "an image has no padded positions"
        return Encoded(None, self.hidden(self.layers(x)))

    def channel_groups(self) -> list[Group]:
        layers = ((f"layers.{name}", module) for name, module in self.layers.named_children())
        hidden = ((f"hidden.{name}", module) for name, module in self.hidden.named_children())
        return chain([*layers, *hidden], Slice(OUTPUT))


def _started(layer: nn.Conv2d | nn.Linear) -> nn.Module:
    nn.init.kaiming_normal_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer

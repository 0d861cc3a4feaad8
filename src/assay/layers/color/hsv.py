"""Hue, saturation and value."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from assay.contracts import Field
from assay.layers.color.channels import needs_color


class HSV(nn.Module):
    """V = max(R, G, B), S = (V - min) / V, H = which sixth of the colour circle, and where in it.

    Smith, "Color Gamut Transform Pairs", 1978, in the order and scale of Python's ``colorsys``, each in [0, 1].
    Greys have hue 0, black also saturation 0. The hue is an angle: 0 and 1 are the same red, so the output jumps there,
    and its derivative grows as 1 / (V - min) towards grey; at grey itself hue and saturation have none, and what is
    returned is finite.

    Args:
        field: an ``image`` of three channels.
    Shape:
        (B, 3, H, W) -> the same
    Raises:
        ConfigError: the images have no three channels.
    """

    channels = 3

    def __init__(self, field: Field) -> None:
        needs_color(field, "hsv")
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        red, green, blue = x.unbind(1)
        value = x.amax(1)
        chroma = value - x.amin(1)
        whole = torch.where(chroma > 0, chroma, 1)
        sixth = torch.where(
            value == red,
            (green - blue) / whole,
            torch.where(value == green, 2 + (blue - red) / whole, 4 + (red - green) / whole),
        )
        saturation = chroma / torch.where(value > 0, value, 1)
        return torch.stack([torch.remainder(sixth / 6, 1), saturation, value], 1)

"""Colours in other coordinates than red, green and blue."""

from __future__ import annotations

import torch
from torch import Tensor


def luma(x: Tensor) -> Tensor:
    """0.2989 R + 0.587 G + 0.114 B (ITU-R BT.601, rounded as torchvision does): (B, 3, H, W) -> (B, 1, H, W); an image
    of one channel is its own."""
    if x.shape[1] != 3:
        return x
    red, green, blue = x.unbind(1)
    return (0.2989 * red + 0.587 * green + 0.114 * blue).unsqueeze(1)


def to_hsv(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hue, saturation and value, Smith 1978, each (B, H, W) in [0, 1], of (B, 3, H, W) in [0, 1]. Greys have hue 0."""
    red, green, blue = x.unbind(1)
    value, low = x.amax(1), x.amin(1)
    chroma = value - low
    whole = torch.where(chroma > 0, chroma, 1)
    sixth = torch.where(  # which of them is the largest says which sixth of the circle
        value == red,
        (green - blue) / whole,
        torch.where(value == green, 2 + (blue - red) / whole, 4 + (red - green) / whole),
    )
    return torch.remainder(sixth / 6, 1), chroma / torch.where(value > 0, value, 1), value


def from_hsv(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """(B, 3, H, W) of what :func:`to_hsv` gives: each colour is V less the chroma times how far the hue is from it."""
    chroma = value * saturation
    colors = []
    for place in (5, 3, 1):  # of red, green and blue on the circle, in sixths
        around = torch.remainder(6 * hue + place, 6)
        colors.append(value - chroma * torch.minimum(around, 4 - around).clamp(0, 1))
    return torch.stack(colors, 1)

"""Colour spaces that are a matrix times red, green and blue: a brightness, and colour as differences from it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from assay.contracts import Field
from assay.layers.color.channels import needs_color

Row = tuple[float, float, float]

LUMA: Row = (0.299, 0.587, 0.114)
"""Y of ITU-R BT.601-7, section 2.5.1."""


class Mixed(nn.Module):
    """y_k = Σ_c M_kc x_c for each pixel.

    Written as sums and not as a product of matrices, which mixed precision would round to 8 bits.

    Args:
        rows: M, one row for each channel that comes out.
    Shape:
        (B, 3, H, W) -> (B, rows, H, W)
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        super().__init__()
        self.rows, self.channels = tuple(rows), len(rows)

    def forward(self, x: Tensor) -> Tensor:
        red, green, blue = x.unbind(1)
        return torch.stack([r * red + g * green + b * blue for r, g, b in self.rows], 1)


def grey(field: Field) -> Mixed:
    """Y = 0.299 R + 0.587 G + 0.114 B, ITU-R BT.601-7: one channel in [0, 1].

    Differs from torchvision's ``rgb_to_grayscale`` by 0.0001 R, which that rounds away: here white stays 1.

    Raises:
        ConfigError: the images have no three channels.
    """
    needs_color(field, "grey")
    return Mixed([LUMA])


def yuv(field: Field) -> Mixed:
    """Y, U = 0.436 (B - Y) / (1 - 0.114) and V = 0.615 (R - Y) / (1 - 0.299), ITU-R BT.601's luma with PAL's scales:
    Y in [0, 1], U in [-0.436, 0.436], V in [-0.615, 0.615].

    Raises:
        ConfigError: the images have no three channels.
    """
    needs_color(field, "yuv")
    return Mixed([LUMA, _from_luma(2, 0.436), _from_luma(0, 0.615)])


def ycbcr(field: Field) -> Mixed:
    """Y, Cb = 0.5 (B - Y) / (1 - 0.114) and Cr = 0.5 (R - Y) / (1 - 0.299), as JPEG files hold colours (JFIF 1.02,
    ITU-T T.871): Y in [0, 1], Cb and Cr in [-0.5, 0.5]. Differs from the file's bytes: a grey is 0 there, not 128/255.

    Raises:
        ConfigError: the images have no three channels.
    """
    needs_color(field, "ycbcr")
    return Mixed([LUMA, _from_luma(2, 0.5), _from_luma(0, 0.5)])


def yiq(field: Field) -> Mixed:
    """Y = 0.30 R + 0.59 G + 0.11 B, I = 0.74 (R - Y) - 0.27 (B - Y), Q = 0.48 (R - Y) + 0.41 (B - Y), FCC 1953 (NTSC),
    as Python's ``colorsys``: Y in [0, 1], I in [-0.599, 0.599], Q in [-0.5251, 0.5251].

    Raises:
        ConfigError: the images have no three channels.
    """
    needs_color(field, "yiq")
    return Mixed([(0.30, 0.59, 0.11), (0.599, -0.2773, -0.3217), (0.213, -0.5251, 0.3121)])


def _from_luma(color: int, reach: float) -> Row:
    """The row of reach · (C - Y) / (1 - the weight of C in Y), which goes from -reach to reach."""
    red, green, blue = (reach * (float(c == color) - LUMA[c]) / (1 - LUMA[color]) for c in range(3))
    return red, green, blue

"""Pixels as the data hold them."""

from __future__ import annotations

from torch import Tensor, nn

from assay.contracts import Field


class RGB(nn.Module):
    """x -> x: red, green and blue, or whatever channels the images have.

    Args:
        field: an ``image`` (C, H, W).
    Shape:
        (B, C, H, W) -> the same
    """

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.channels = field.shape[0]

    def forward(self, x: Tensor) -> Tensor:
        return x

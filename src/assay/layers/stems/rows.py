"""An image as the sequence of its rows."""

from __future__ import annotations

from torch import Tensor, nn

from assay.contracts import Field


class Rows(nn.Module):
    """Row h of an image is time step h, its channels side by side, as LeCun's pixel rows are read by recurrent nets.

    Shape:
        (B, C, H, W) -> (B, H, C·W), no mask
    """

    def __init__(self, field: Field) -> None:
        super().__init__()
        channels, height, width = field.shape
        self.output_shape = (height, (channels or 1) * (width or 1))

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return x.transpose(1, 2).flatten(2), None  # (B, H, C·W)

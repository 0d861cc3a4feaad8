"""An image read row by row, as a sequence."""

from __future__ import annotations

from torch import Tensor, nn

from assay.contracts import Field
from assay.errors import ConfigError


class Rows(nn.Module):
    """Row t of the image, all channels side by side, is the input of time step t.

    Args:
        field: an ``image`` (C, H, W) of known width.
    Shape:
        x (B, C, H, W) -> (B, H, C·W), no mask
    Raises:
        ConfigError: the images' width or number of channels varies.
    """

    def __init__(self, field: Field) -> None:
        super().__init__()
        channels, height, width = field.shape
        if channels is None or width is None:
            raise ConfigError("images of varying width cannot be read as rows: use data.size=… or model=cnn")
        self.output_shape = (height, channels * width)

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return x.transpose(1, 2).flatten(2), None  # (B, H, C·W)

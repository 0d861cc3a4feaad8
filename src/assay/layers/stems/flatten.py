"""An image read as one long vector."""

from __future__ import annotations

import math

from torch import Tensor, nn

from assay.contracts import Field
from assay.errors import ConfigError


class Flatten(nn.Module):
    """All numbers of an example in one row.

    Args:
        field: any dense field of known shape.
    Shape:
        x (B, C, H, W) -> (B, C·H·W), no mask
    Raises:
        ConfigError: the examples' size varies.
    """

    def __init__(self, field: Field) -> None:
        super().__init__()
        sizes = [size for size in field.shape if size is not None]
        if len(sizes) < len(field.shape):
            raise ConfigError(f"{field.kind} of varying size cannot be read as one vector: use data.size=…")
        self.output_shape = (math.prod(sizes),)

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return x.flatten(1), None  # (B, C·H·W)

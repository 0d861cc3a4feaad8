"""An image as one long vector."""

from __future__ import annotations

import math

from torch import Tensor, nn

from assay.contracts import Field


class Flatten(nn.Module):
    """(B, C, H, W) -> (B, C·H·W), no mask."""

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.output_shape = (math.prod(size or 1 for size in field.shape),)

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return x.flatten(1), None

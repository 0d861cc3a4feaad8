"""The field as it is."""

from __future__ import annotations

from torch import Tensor, nn

from assay.contracts import Field


class Identity(nn.Module):
    """x -> x; for token ids, the mask of those that are not padding.

    Shape:
        image (B, C, H, W), vector (B, D) or ids (B, T) -> the same, mask (B, T) for ids
    """

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.output_shape = field.shape
        self.padding_id = field.padding_id if field.kind == "ids" else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        return x, None if self.padding_id is None else x != self.padding_id

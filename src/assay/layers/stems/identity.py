"""A field read as it is."""

from __future__ import annotations

from torch import Tensor, nn

from assay.contracts import Field


class Identity(nn.Module):
    """x -> x; for token ids also which positions hold one.

    Args:
        field: ``ids``, ``image``, ``sequence`` or ``vector``.
    Shape:
        x (B, …) -> the same, and mask (B, T) bool for ids, None otherwise
    """

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.output_shape = field.shape
        self.padding_id = field.padding_id if field.kind == "ids" else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        return x, None if self.padding_id is None else x != self.padding_id

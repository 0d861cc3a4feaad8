"""Token ids as vectors."""

from __future__ import annotations

from torch import Tensor, nn

from assay.contracts import Field
from assay.layers.random import Dropout


class Embedding(nn.Module):
    """A learned vector per token; padding's is zero and stays so.

    Args:
        field: of kind ids; its size is the vocabulary's.
        size: D, of a vector.
        dropout: probability, on the entries of the vectors.
    Shape:
        ids (B, T) -> (B, T, D), mask (B, T)
    """

    def __init__(self, field: Field, size: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.padding_id = field.padding_id
        self.table = nn.Embedding(field.size or 1, size, padding_idx=field.padding_id)
        self.dropout = Dropout(dropout)
        self.output_shape = (None, size)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.dropout(self.table(x)), x != self.padding_id

"""Token ids read as a sequence of learned vectors."""

from __future__ import annotations

from torch import Tensor, nn

from assay.contracts import Field
from assay.layers.random import Dropout


class Embedding(nn.Module):
    """e_t = E[x_t], the lookup table of Bengio et al. 2003, "A Neural Probabilistic Language Model".

    Differs from the paper: the padding token's vector is zero and stays so.

    Args:
        field: ``ids``, with its vocabulary's size and padding id.
        size: of a token's vector.
        dropout: probability that an entry of a vector is dropped.
    Shape:
        x (B, T) int64 -> (B, T, size), mask (B, T) bool, None where nothing is padded
    """

    def __init__(self, field: Field, size: int, dropout: float = 0.0) -> None:
        super().__init__()
        assert field.size is not None
        self.padding_id = field.padding_id
        self.embedding = nn.Embedding(field.size, size, padding_idx=field.padding_id)
        self.dropout = Dropout(dropout)
        self.output_shape = (*field.shape, size)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        mask = None if self.padding_id is None else x != self.padding_id
        return self.dropout(self.embedding(x)), mask  # (B, T, size)

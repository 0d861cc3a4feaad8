"""Token ids read as a sequence of learned vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from assay.contracts import Field
from assay.layers.channels import Slice
from assay.layers.random import Dropout


class Embedding(nn.Module):
    """e_t = E[x_t], the lookup table of Bengio et al. 2003, "A Neural Probabilistic Language Model".

    Differs from the paper: the padding token's vector is zero and stays so. Vectors start as in Kim 2014,
    arXiv:1408.5882, section 3.2, who drew them like word2vec's; torch's N(0, 1) is four times as wide, and what a
    sentence model then adds to a rare word's vector is lost in it (TREC, ``model=textcnn``: 0.884 against 0.914).

    Args:
        field: ``ids``, with its vocabulary's size and padding id.
        size: of a token's vector.
        bound: of the uniform distribution that vectors start from.
        dropout: probability that an entry of a vector is dropped.
    Shape:
        x (B, T) int64 -> (B, T, size), mask (B, T) bool, None where nothing is padded
    """

    def __init__(self, field: Field, size: int, bound: float = 0.25, dropout: float = 0.0) -> None:
        super().__init__()
        assert field.size is not None
        self.padding_id = field.padding_id
        self.embedding = nn.Embedding(field.size, size, padding_idx=field.padding_id)
        nn.init.uniform_(self.embedding.weight, -bound, bound)
        if field.padding_id is not None:
            with torch.no_grad():
                self.embedding.weight[field.padding_id] = 0
        self.dropout = Dropout(dropout)
        self.output_shape: tuple[int | None, ...] = (*field.shape, size)

    def channels(self) -> tuple[Slice, ...]:
        """What makes the entries of a vector, which a model may do without."""
        return (Slice("embedding.weight", 1),)

    def refit(self) -> None:
        """After entries left the vectors."""
        self.output_shape = (*self.output_shape[:-1], self.embedding.weight.shape[1])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        mask = None if self.padding_id is None else x != self.padding_id
        return self.dropout(self.embedding(x)), mask  # (B, T, size)

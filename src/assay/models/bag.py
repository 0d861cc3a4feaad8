"""Bag of embeddings."""

from __future__ import annotations

from torch import Tensor, nn

from assay.contracts import Encoded
from assay.layers.pooling import mean_valid
from assay.layers.random import Dropout


class Bag(nn.Module):
    """Mean of the vectors of an example's tokens; with the task's head, y = W mean(e) + b.

    Joulin et al., "Bag of Tricks for Efficient Text Classification", 2017, arXiv:1607.01759, section 2. Differs from
    the paper: no word n-grams, softmax in full. An example without tokens is the zero vector.

    Args:
        input_size: (T or None,) of an example.
        embedding_size: of a token's vector.
        dropout: probability that an entry of the mean is dropped.
        vocabulary_size: V.
        padding_id: its vector is zero and stays so.
    Shape:
        x (B, T) int64, mask (B, T) -> last (B, embedding_size)
    """

    def __init__(
        self,
        input_size: tuple[int | None, ...],
        embedding_size: int,
        dropout: float,
        *,
        vocabulary_size: int,
        padding_id: int | None,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, embedding_size, padding_idx=padding_id)
        self.dropout = Dropout(dropout)
        self.output_size = embedding_size

    def forward(self, x: Tensor, mask: Tensor | None = None, state: None = None) -> Encoded:
        vectors = self.embedding(x)  # (B, T, E)
        return Encoded(None, self.dropout(mean_valid(vectors, mask)))

"""The mean of token embeddings."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from assay.contracts import Encoded
from assay.layers.random import Dropout


class Bag(nn.Module):
    """h = (1 / n) Σ_t e(w_t) over the n tokens that are not padding; the head's W h + b then makes it the fastText
    classifier: Joulin, Grave, Bojanowski and Mikolov, "Bag of Tricks for Efficient Text Classification", 2017,
    section 2, without its hashed n-grams and hierarchical softmax.

    Args:
        vocabulary_size: V.
        padding_id: the token that does not count.
        embedding_size: H.
        dropout: probability, on h.
    Shape:
        ids (B, T) -> last (B, H); an empty text has h = 0
    """

    def __init__(self, vocabulary_size: int, padding_id: int, embedding_size: int, dropout: float) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary_size, embedding_size, padding_idx=padding_id)
        self.dropout = Dropout(dropout)
        self.output_size = embedding_size

    def forward(self, x: Tensor, mask: Tensor | None = None, state: Any = None) -> Encoded:
        vectors = self.table(x)  # (B, T, H), zero at padding
        count = x.shape[1] if mask is None else mask.sum(1, keepdim=True).clamp(min=1)
        return Encoded(None, self.dropout(vectors.sum(1) / count))

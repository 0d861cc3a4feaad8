"""Bag of embeddings of words and word n-grams."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from assay.contracts import Encoded
from assay.errors import ConfigError
from assay.layers.channels import OUTPUT, Group, Slice
from assay.layers.ngrams import HashedNgrams
from assay.layers.pooling import mean_valid
from assay.layers.random import Dropout


class Bag(nn.Module):
    """Mean of the vectors of an example's tokens and their n-grams together; with the task's head, y = W mean(e) + b.

    Joulin et al., "Bag of Tricks for Efficient Text Classification", 2017, arXiv:1607.01759, sections 2 and 2.2: the
    fastText classifier. N-grams share ``buckets`` vectors by their hash (:class:`~assay.layers.ngrams.HashedNgrams`).
    Vectors start as in its published code, U(-1/E, 1/E): small beside what is learnt, so that words and n-grams seen
    once or never say little. Differs from it: softmax in full, no token for the end of a text, and a head that does not
    start at zero. An example without tokens is the zero vector.

    Args:
        input_size: (T or None,) of an example.
        embedding_size: E, of a token's or bucket's vector.
        ngrams: the longest, in tokens; 1 is words alone.
        buckets: vectors that the n-grams share; none are made for words alone.
        dropout: probability that an entry of the mean is dropped.
        vocabulary_size: V.
        padding_id: its vector is zero and stays so.
    Shape:
        x (B, T) int64, mask (B, T) -> last (B, embedding_size)
    Raises:
        ConfigError: ngrams or buckets is less than one.
    """

    def __init__(
        self,
        input_size: tuple[int | None, ...],
        embedding_size: int,
        ngrams: int,
        buckets: int,
        dropout: float,
        *,
        vocabulary_size: int,
        padding_id: int | None,
    ) -> None:
        super().__init__()
        if ngrams < 1 or buckets < 1:
            raise ConfigError(f"model.ngrams={ngrams} and model.buckets={buckets} are counts from 1")
        self.ngrams = HashedNgrams(vocabulary_size, ngrams, buckets) if ngrams > 1 else None
        rows = vocabulary_size + (buckets if ngrams > 1 else 0)  # tokens, then buckets
        self.vocabulary_size = vocabulary_size
        self.embedding = nn.Embedding(rows, embedding_size, padding_idx=padding_id)
        self.dropout = Dropout(dropout)
        self.output_size = embedding_size
        nn.init.uniform_(self.embedding.weight, -1 / embedding_size, 1 / embedding_size)
        if padding_id is not None:
            with torch.no_grad():
                self.embedding.weight[padding_id] = 0

    def forward(self, x: Tensor, mask: Tensor | None = None, state: None = None) -> Encoded:
        if self.ngrams is not None:
            buckets, there = self.ngrams(x, mask)  # (B, P)
            x = torch.cat([x, self.vocabulary_size + buckets], 1)  # (B, T + P)
            mask = None if mask is None or there is None else torch.cat([mask, there], 1)
        return Encoded(None, self.dropout(mean_valid(self.embedding(x), mask)))

    def channel_groups(self) -> list[Group]:
        size = self.embedding.weight.shape[1]
        return [Group("embedding", size, (Slice("embedding.weight", 1),), (Slice(OUTPUT),))]

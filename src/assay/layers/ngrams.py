"""Word n-grams as rows of a table of fixed size, by hashing. Letters: B batch, T tokens, n words of an n-gram."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_BASIS, _PRIME = 2166136261, 16777619  # FNV-1a, 32 bits
_STEP = 116049371  # fastText's, from a word's hash to that of the n-gram it begins
_LOW = (1 << 32) - 1


class HashedNgrams(nn.Module):
    """The bucket of each n-gram of 2 to ``ngrams`` neighbouring tokens: h ← 116049371·h + h(next), then h mod buckets.

    The hashing trick of Joulin et al., "Bag of Tricks for Efficient Text Classification", 2017, arXiv:1607.01759,
    section 2.2, with the function of their published code (``Dictionary::addWordNgrams``; h of a word is FNV-1a).
    Differs from it: a word is hashed by its id, four bytes with the lowest first, where fastText hashes its letters, so
    the unknown token is one word here; and h is cut to 32 bits at every step, as no product then leaves 64-bit
    integers, where fastText counts on up to 64. The same ids give the same buckets on every machine and device.

    Args:
        vocabulary_size: of the ids.
        ngrams: the longest, in tokens; 2 and more.
        buckets: rows that all n-grams share; two that meet in one share its vector.
    Shape:
        x (B, T) int64, mask (B, T) -> buckets (B, P) int64 and which of them are there (B, P) bool, or None without a
        mask; P = Σ_n max(T - n + 1, 0), bigrams first
    """

    hashes: Tensor

    def __init__(self, vocabulary_size: int, ngrams: int, buckets: int) -> None:
        super().__init__()
        self.ngrams, self.buckets = ngrams, buckets
        ids = torch.arange(vocabulary_size)
        hashes = torch.full_like(ids, _BASIS)
        for shift in (0, 8, 16, 24):
            hashes = ((hashes ^ (ids >> shift & 255)) * _PRIME) & _LOW  # below 2^57 before the cut
        self.register_buffer("hashes", hashes, persistent=False)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        words = self.hashes[x]  # (B, T)
        longer, valid, found, there = words, mask, [], []
        for n in range(2, self.ngrams + 1):
            longer = (longer[:, :-1] * _STEP + words[:, n - 1 :]) & _LOW  # (B, T - n + 1); empty once T < n
            found.append(longer % self.buckets)
            if mask is not None and valid is not None:
                valid = valid[:, :-1] & mask[:, n - 1 :]
                there.append(valid)
        return torch.cat(found, 1), torch.cat(there, 1) if mask is not None else None

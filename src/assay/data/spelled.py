"""The characters of the words of sentences, as a column. Letters: N sentences, U spellings, B batch, T words, L
characters.

A corpus writes the same few thousand words again and again: each spelling is kept once, and a word is its number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from assay.data.examples import Ragged


class Spelled:
    """Sentences of words of characters.

    Args:
        words: the number of each word's spelling, from 1; 0 pads the sentences of a batch.
        spellings: (U + 1, L) int32, padded at the end; row 0 is all padding.
        lengths: (U + 1,) int64, of the spellings.
    """

    uniform, lazy = False, False

    def __init__(self, words: Ragged, spellings: Tensor, lengths: Tensor) -> None:
        self.words, self.spellings, self.lengths = words, spellings, lengths

    @classmethod
    def join(
        cls, sentences: Iterable[Sequence[str]], spell: Mapping[str, Sequence[int]], padding_id: int = 0
    ) -> Spelled:
        """One column from sentences of words; ``spell`` says the ids of the characters of every one of them."""
        number = {word: place for place, word in enumerate(spell, 1)}
        words = Ragged.join(([number[word] for word in sentence] for sentence in sentences), 0)
        lengths = torch.tensor([0, *map(len, spell.values())])
        spellings = torch.full((len(lengths), max(int(lengths.max()), 1)), padding_id, dtype=torch.int32)
        held = torch.arange(spellings.shape[1]) < lengths[:, None]
        spellings[held] = torch.tensor([one for ids in spell.values() for one in ids], dtype=torch.int32)
        return cls(words, spellings, lengths)

    def __len__(self) -> int:
        return len(self.words)

    def gather(self, positions: Tensor) -> Tensor:
        """(B,) -> (B, T, L), T and L the longest of the batch and at least one."""
        number = self.words.gather(positions)  # (B, T)
        flat = number.flatten()
        longest = max(int(self.lengths.index_select(0, flat).max()), 1) if len(flat) else 1
        found = self.spellings.index_select(0, flat)[:, :longest]
        return found.long().view(*number.shape, longest)  # (B, T, L)

"""The trivial tagger: each word's commonest tag, as the training split has it."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.contracts import Columns

_BLOCK = 1024  # sentences looked at together


def commonest_tags(train: Columns, label: Tensor, words: Tensor | None, size: int) -> tuple[str, Tensor]:
    """A name, and the tags that it answers, (n, T) as ``label``, -1 where that is.

    Of equally common tags the first; of a word that training lacks the commonest tag of all. The unknown word of the
    vocabulary is such a word, unless training has it too.

    Args:
        label: (n, T) int64 targets, -1 where there is none.
        words: (n, T) their words' ids; None: the commonest tag of all is answered throughout.
        size: C, of tags.
    """
    pairs, counts = _counted(train, size, words is not None)
    tag = pairs % size
    totals = torch.zeros(size, dtype=torch.int64).index_add_(0, tag, counts)
    majority = totals.argmax()
    if words is None:
        return "majority", torch.where(label >= 0, majority, -1)
    by_count = counts.argsort(descending=True, stable=True)
    order = by_count[(pairs[by_count] // size).argsort(stable=True)]  # word by word, the commonest tag first
    word, tag = pairs[order] // size, tag[order]
    first = torch.ones_like(word, dtype=torch.bool)
    first[1:] = word[1:] != word[:-1]
    of_word = torch.full((int(max(words.max(), word.max())) + 1,), int(majority))
    of_word[word[first]] = tag[first]
    return "word's tag", torch.where(label >= 0, of_word[words.clamp(min=0)], -1)


def _counted(train: Columns, size: int, by_word: bool) -> tuple[Tensor, Tensor]:
    """word · C + tag, each pair that training has once, and how often."""
    found = [torch.empty(0, dtype=torch.int64)]
    for block in torch.arange(len(train)).split(_BLOCK):
        some = train.select(block)
        tags = some.column("label").long()
        held = tags >= 0
        words = some.column("source").long()[held] * size if by_word else 0
        found.append(words + tags[held])
    return torch.cat(found).unique(return_counts=True)

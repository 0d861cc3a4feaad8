"""Counting tokens into a vocabulary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

PADDING_ID, UNKNOWN_ID = 0, 1
SPECIAL = ["<pad>", "<unk>"]


def count_tokens(sequences: Iterable[Iterable[str]], min_count: int = 1, max_size: int | None = None) -> list[str]:
    """The special tokens, then those seen at least ``min_count`` times: commonest first, ties in alphabetical order.

    Args:
        max_size: of the whole list.
    """
    counts: Counter[str] = Counter()
    for tokens in sequences:
        counts.update(tokens)
    return most_common(counts, min_count, max_size)


def most_common(counts: Mapping[str, int], min_count: int = 1, max_size: int | None = None) -> list[str]:
    """The same of tokens that were counted."""
    kept = sorted((token for token, count in counts.items() if count >= min_count), key=lambda t: (-counts[t], t))
    return [*SPECIAL, *kept][: max_size if max_size is None else max(max_size, len(SPECIAL))]

"""Counts of n-grams in sorted tables: how they are kept, found, and made into probabilities.

A row is an n-gram (c_{n-1}, …, c_1, w): n - 1 words of context, the oldest first, counted from 1, 0 where the text had
not begun; then the word, from 0. A context of k words is a number, made of that of its newest k - 1 words and of its
oldest word. Level k holds what follows contexts of k words. Letters: M rows, n order, N positions, V vocabulary, C
contexts and G n-grams of a level.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Level(NamedTuple):
    """What follows contexts of k words: p_k(w | c) = share + left(c) p_{k-1}(w | c without its oldest word).

    contexts: (C,) int64, sorted: number of the newest k - 1 words × (V + 1) + the oldest word; a context's own number
        is its place here. Level 0 has the empty one.
    grams: (G,) int64, sorted: number of the context × V + w.
    share: (G,), what the n-gram's own count gives it.
    left: (C,), what its counts leave for the shorter context.
    """

    contexts: Tensor
    grams: Tensor
    share: Tensor
    left: Tensor


Smoothing = Callable[[int, Tensor, Tensor, int], tuple[Tensor, Tensor]]
"""(k, counts (G,), the number of each one's context (G,), C) -> share (G,) and left (C,), float64."""


def compact(rows: Tensor, counts: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Each row once: (M, n) and (M,) -> the distinct ones, sorted, and the sums of their counts.

    Args:
        size: V.
    """
    number = torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
    for column in rows.unbind(1):
        number = torch.unique(number * (size + 1) + column, return_inverse=True)[1]
    total = int(number.max()) + 1 if len(number) else 0
    first = torch.zeros(total, dtype=torch.int64, device=rows.device)
    first[number] = torch.arange(len(rows), device=rows.device)  # any of the equal ones
    return rows[first], torch.zeros(total, dtype=counts.dtype, device=counts.device).index_add_(0, number, counts)


def fitted(rows: Tensor, counts: Tensor, size: int, smooth: Smoothing, continued: bool) -> list[Level]:
    """The levels of a model from distinct n-grams and how often each was seen.

    Args:
        size: V.
        continued: below the highest level an n-gram counts once for each different word that came before it (Kneser and
            Ney 1995), and as often as it was seen where a text began with it; false: as often as it was seen.
    """
    order = rows.shape[1]
    word, context = rows[:, -1].long(), torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
    contexts, levels = torch.zeros(1, dtype=torch.int64, device=rows.device), []
    for k in range(order):
        grams, place = torch.unique(context * size + word, return_inverse=True)
        older = rows[:, order - 2 - k].long() if k < order - 1 else torch.zeros_like(word)
        if continued and k < order - 1:
            seen = _continuations(place, older, counts, len(grams), size)
        else:
            seen = torch.zeros(len(grams), dtype=torch.int64, device=rows.device).index_add_(0, place, counts)
        share, left = smooth(k, seen, grams // size, len(contexts))
        levels.append(Level(contexts, grams, share.float(), left.float()))
        longer = older > 0
        rows, counts, word = rows[longer], counts[longer], word[longer]
        contexts, context = torch.unique(context[longer] * (size + 1) + older[longer], return_inverse=True)
    return levels


def _continuations(place: Tensor, older: Tensor, counts: Tensor, grams: int, size: int) -> Tensor:
    """(G,) int64: N1+(• c w), and how often a text began with c w."""
    kinds = torch.unique(place[older > 0] * (size + 1) + older[older > 0]) // (size + 1)
    seen = torch.bincount(kinds, minlength=grams)
    return seen.index_add_(0, place, torch.where(older > 0, 0, counts))


def numbered(levels: list[Level], context: Tensor, size: int) -> list[Tensor]:
    """The number of each position's context at every level, -1 where it was never seen.

    Shape:
        context (N, n - 1), as rows have it -> n of (N,) int64
    """
    found = [torch.zeros(len(context), dtype=torch.int64, device=context.device)]
    for level, older in zip(levels[1:], context.flip(1).unbind(1), strict=True):
        code = found[-1] * (size + 1) + older
        number, there = _find(level.contexts, code)
        found.append(torch.where(there & (found[-1] >= 0) & (older > 0), number, -1))
    return found


def probabilities(levels: list[Level], contexts: list[Tensor], word: Tensor, size: int) -> Tensor:
    """p(w | c) of one word at each position, (N,)."""
    p = levels[0].left.new_full((len(word),), 1 / size)
    for level, context in zip(levels, contexts, strict=True):
        if len(level.left):
            number, there = _find(level.grams, context * size + word)
            left = torch.where(context >= 0, level.left[context.clamp(min=0)], 1)
            own = level.share[number] if len(level.share) else torch.zeros_like(p)
            p = torch.where(there & (context >= 0), own, 0) + left * p
    return p


def distributions(levels: list[Level], contexts: list[Tensor], size: int) -> Tensor:
    """p(• | c) at each position, (N, V): what all of them share once, then the n-grams of each context."""
    shared = levels[0].left / size + levels[0].left.new_zeros(size).index_add_(0, levels[0].grams, levels[0].share)
    behind = shared.new_ones(len(contexts[0]))  # what the levels above leave
    parts = []
    for level, context in zip(levels[:0:-1], contexts[:0:-1], strict=True):
        if len(level.left):
            parts.append((level, context, behind))
            behind = behind * torch.where(context >= 0, level.left[context.clamp(min=0)], 1)
    p = behind.unsqueeze(1) * shared  # (N, V)
    for level, context, above in parts:
        rows, places = _followers(level, context, size)
        p.view(-1).index_add_(0, rows * size + level.grams[places] % size, level.share[places] * above[rows])
    return p


def _followers(level: Level, context: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The positions whose context was seen, each as often as it has n-grams, and the places of these."""
    known = (context >= 0).nonzero().flatten()
    starts = torch.searchsorted(level.grams, context[known] * size)
    lengths = torch.searchsorted(level.grams, (context[known] + 1) * size) - starts
    within = torch.arange(int(lengths.sum()), device=context.device)
    within -= (lengths.cumsum(0) - lengths).repeat_interleave(lengths)
    return known.repeat_interleave(lengths), starts.repeat_interleave(lengths) + within


def _find(table: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """The place of each in a sorted table, and whether it is there."""
    if not len(table):
        return torch.zeros_like(wanted), torch.zeros_like(wanted, dtype=torch.bool)
    place = torch.searchsorted(table, wanted).clamp(max=len(table) - 1)
    return place, table[place] == wanted

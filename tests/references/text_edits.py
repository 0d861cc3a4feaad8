"""Edits of texts, one text and one token at a time: lists in, lists out. ``u`` are the uniform numbers to use."""

from __future__ import annotations

import math


def times(share, length):
    """How often EDA (Wei and Zou 2019) edits: max(1, int(alpha * l))."""
    return max(1, int(share * length)) if length else 0


def delete(tokens, p, u):
    kept = [token for token, draw in zip(tokens, u, strict=False) if draw >= p]
    if not kept and tokens:
        draws = list(u[: len(tokens)])
        kept = [tokens[draws.index(max(draws))]]
    return kept


def forget(tokens, p, u, unknown):
    return [unknown if draw < p else token for token, draw in zip(tokens, u, strict=False)]


def swap(tokens, share, u, adjacent):
    """u: pairs of numbers, one pair per exchange."""
    tokens = list(tokens)
    for first, second in list(u)[: times(share, len(tokens))]:
        if len(tokens) < 2:
            continue
        if adjacent:
            a = math.floor(first * (len(tokens) - 1))
            b = a + 1
        else:
            a = math.floor(first * len(tokens))
            others = [*range(a + 1, len(tokens)), *range(a)]
            b = others[math.floor(second * len(others))]
        tokens[a], tokens[b] = tokens[b], tokens[a]
    return tokens


def insert(tokens, share, u):
    """u: pairs, which token and which gap; into gaps of the original, those of one gap in their order."""
    gaps = [[] for _ in range(len(tokens) + 1)]
    for which, where in list(u)[: times(share, len(tokens))]:
        gaps[math.floor(where * (len(tokens) + 1))].append(tokens[math.floor(which * len(tokens))])
    result = []
    for place, token in enumerate(tokens):
        result += [*gaps[place], token]
    return result + gaps[-1]

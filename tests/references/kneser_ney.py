"""Chen and Goodman 1999 by dictionaries: one context and one word at a time.

A text is a list of words; an n-gram is (context, word), the context a tuple of the words before it.
"""

from __future__ import annotations

from collections import Counter, defaultdict

FALLBACK = (0.5, 1.0, 1.5)


def ngrams(text, order, start=None):
    """(context, word) of each word: at most order - 1 words before it, none from before the newest ``start``."""
    found = []
    for t, word in enumerate(text):
        context = list(text[max(0, t - order + 1) : t])
        if start in context:
            context = context[len(context) - 1 - context[::-1].index(start) :]
        found.append((tuple(context), word))
    return found


def additive(grams, order, added, size):
    """p(word, context) with δ = added; a context shorter than order - 1 words was never seen whole."""
    counts, totals = Counter(), Counter()
    for context, word in grams:
        if len(context) == order - 1:
            counts[context, word] += 1
            totals[context] += 1
    return lambda word, context: (counts[context, word] + added) / (totals[context] + added * size)


def adjusted(grams, order):
    """{k: {(context of k words, word): count}}: of the highest order as often as seen; below it the different words
    that came before, and as often as nothing did."""
    seen = Counter(grams)
    found = {k: Counter() for k in range(order)}
    before = defaultdict(set)
    for (context, word), count in seen.items():
        found[len(context)][context, word] += count
        for k in range(len(context)):
            before[context[len(context) - k :], word].add(context[len(context) - k - 1])
    for (context, word), words in before.items():
        found[len(context)][context, word] += len(words)
    return found


def discounts(counts, number):
    """Y, or D1, D2 and D3+, from counts of counts."""
    n = Counter(counts.values())
    if not n[1]:
        return [FALLBACK[0]] * 3 if number == 1 else list(FALLBACK)
    y = n[1] / (n[1] + 2 * n[2])
    if number == 1:
        return [y] * 3
    found = []
    for r in (1, 2, 3):
        d = r - (r + 1) * y * n[r + 1] / n[r] if n[r] else 0
        found.append(d if 0 < d <= r else FALLBACK[r - 1])
    return found


def kneser_ney(grams, order, number, size, fixed=None):
    """p(word, context), interpolated down to 1/V; ``number`` of discounts is 1 or 3."""
    counts = adjusted(grams, order)
    taken = {k: discounts(counts[k], number) if fixed is None else [fixed] * 3 for k in counts}

    def p(word, context):
        if context is None:
            return 1 / size
        here, level = counts[len(context)], len(context)
        followers = {w: c for (one, w), c in here.items() if one == context}
        shorter = p(word, context[1:] if context else None)
        if not followers:
            return shorter
        total = sum(followers.values())
        less = {w: min(taken[level][min(c, 3) - 1], c) for w, c in followers.items()}
        own = followers[word] - less[word] if word in followers else 0
        return own / total + sum(less.values()) / total * shorter

    return p

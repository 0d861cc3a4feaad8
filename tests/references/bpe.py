"""Byte-pair encoding, Sennrich, Haddow and Birch 2016, algorithm 1: pairs counted anew for every merge."""

from collections import Counter
from itertools import pairwise

END = "▁"


def pair_counts(segmented):
    """segmented: {tuple of symbols: count of the word}."""
    counts = Counter()
    for symbols, count in segmented.items():
        for pair in pairwise(symbols):
            counts[pair] += count
    return counts


def merge(symbols, pair):
    merged, place = [], 0
    while place < len(symbols):
        if tuple(symbols[place : place + 2]) == pair:
            merged.append(pair[0] + pair[1])
            place += 2
        else:
            merged.append(symbols[place])
            place += 1
    return tuple(merged)


def learn(words, merges, min_count):
    """(merges in order, whether each was the only commonest pair) of words with repetitions."""
    segmented = Counter((*word, END) for word in words)
    found, alone = [], []
    for _ in range(merges):
        counts = pair_counts(segmented)
        if not counts or max(counts.values()) < min_count:
            break
        best = max(counts.values())
        ties = [pair for pair, count in counts.items() if count == best]
        found.append(ties[0])
        alone.append(len(ties) == 1)
        again = Counter()
        for symbols, count in segmented.items():
            again[merge(symbols, ties[0])] += count
        segmented = again
    return found, alone


def segment(word, merges):
    """A word by merges in the order learnt."""
    symbols = (*word, END)
    for pair in merges:
        symbols = merge(symbols, pair)
    return list(symbols)

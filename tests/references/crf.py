"""A linear-chain random field of one sequence: every sequence of tags enumerated, and the recursion as a NumPy loop in
log space (Lafferty, McCallum and Pereira 2001; Rabiner 1989). x (T, C), transitions (C, C) [from, to], start, end (C,)
"""

from __future__ import annotations

from itertools import product

import numpy as np


def score(x, transitions, start, end, tags):
    total = start[tags[0]] + end[tags[-1]]
    for t, tag in enumerate(tags):
        total += x[t, tag]
        if t:
            total += transitions[tags[t - 1], tag]
    return total


def every(x, transitions, start, end):
    """{tags: score} of all C^T sequences."""
    length, size = x.shape
    return {tags: score(x, transitions, start, end, tags) for tags in product(range(size), repeat=length)}


def log_sum(values):
    values = np.asarray(list(values), dtype=np.float64)
    most = values.max()
    return most if most == -np.inf else most + np.log(np.exp(values - most).sum())


def marginals(x, transitions, start, end):
    """p(y_t = c) (T, C) and Σ_t p(y_{t-1} = i, y_t = j) (C, C), by enumeration."""
    scores = every(x, transitions, start, end)
    log_z = log_sum(scores.values())
    tags, pairs = np.zeros(x.shape), np.zeros(transitions.shape)
    for sequence, value in scores.items():
        p = np.exp(value - log_z)
        for t, tag in enumerate(sequence):
            tags[t, tag] += p
            if t:
                pairs[sequence[t - 1], tag] += p
    return tags, pairs


def best(x, transitions, start, end, number=1):
    """The ``number`` best (score, tags), the best first."""
    scores = every(x, transitions, start, end)
    ranked = sorted(((value, tags) for tags, value in scores.items()), key=lambda pair: -pair[0])
    return [(value, tags) for value, tags in ranked[:number] if value > -np.inf]


def forward(x, transitions, start, end):
    """log Z by the loop; any length."""
    alpha = start + x[0]
    for row in x[1:]:
        alpha = np.array([log_sum(alpha + transitions[:, j]) for j in range(len(row))]) + row
    return log_sum(alpha + end)


def viterbi(x, transitions, start, end):
    """The best (score, tags) by the loop; of equals the lowest tag."""
    value, pointers = start + x[0], []
    for row in x[1:]:
        through = value[:, None] + transitions
        pointers.append(through.argmax(0))
        value = through.max(0) + row
    tags = [int((value + end).argmax())]
    most = (value + end).max()
    for back in reversed(pointers):
        tags.append(int(back[tags[-1]]))
    return most, tuple(reversed(tags))

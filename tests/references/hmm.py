"""A hidden Markov model of one sequence, by enumeration of its states (Rabiner 1989), and one round of Baum-Welch."""

from __future__ import annotations

from itertools import product

import numpy as np


def joint(words, states, start, transitions, emissions):
    p = start[states[0]]
    for t, (state, word) in enumerate(zip(states, words, strict=True)):
        p *= emissions[state, word] * (transitions[states[t - 1], state] if t else 1)
    return p


def paths(words, start, transitions, emissions):
    """{states: p(words, states)}"""
    return {
        states: joint(words, states, start, transitions, emissions)
        for states in product(range(len(start)), repeat=len(words))
    }


def baum_welch(sentences, start, transitions, emissions, smoothing):
    """The next parameters and the log-likelihood under these, by counts expected over all paths."""
    starts, steps, seen = np.zeros_like(start), np.zeros_like(transitions), np.zeros_like(emissions)
    likelihood = 0.0
    for words in sentences:
        every = paths(words, start, transitions, emissions)
        total = sum(every.values())
        likelihood += np.log(total)
        for states, p in every.items():
            starts[states[0]] += p / total
            for t, (state, word) in enumerate(zip(states, words, strict=True)):
                seen[state, word] += p / total
                if t:
                    steps[states[t - 1], state] += p / total
    fitted = [(counts + smoothing) / (counts + smoothing).sum(-1, keepdims=True) for counts in (starts, steps, seen)]
    return fitted, likelihood

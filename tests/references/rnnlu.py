"""Yao et al. 2013 in NumPy, one word and one matrix at a time; a sentence is a list of (word, features…)."""

from __future__ import annotations

import numpy as np

from tests.references.lstm import sigmoid

FUNCTIONS = {"sigmoid": sigmoid, "tanh": np.tanh, "relu": lambda a: np.maximum(a, 0)}


def places(t, before, after):
    """Of the words of a window around t, those before the sentence and after it among them."""
    return range(t - before, t + after + 1)


def n_hot(sentence, t, lookahead, size):
    """{w_t, …, w_{t+k}} as a set."""
    x = np.zeros(size)
    for word in {sentence[i][0] for i in range(t, min(t + lookahead + 1, len(sentence)))}:
        x[word] = 1
    return x


def bag(sentence, t, before, after, size):
    """How often each word occurs in the window."""
    x = np.zeros(size)
    for i in places(t, before, after):
        if 0 <= i < len(sentence):
            x[sentence[i][0]] += 1
    return x


def context(sentence, t, window, vectors, outside, feature_window, sizes):
    """[vectors of the window's words in their order ; for each feature, one-hot, in the order of its window].

    Args:
        window, feature_window: (before, after), or None.
        sizes: {column of a word's features: how many ids it has}.
    """
    parts = []
    if window is not None:
        parts += [vectors[sentence[i][0]] if 0 <= i < len(sentence) else outside for i in places(t, *window)]
    for column, size in sizes.items():
        for i in places(t, *feature_window):
            hot = np.zeros(size)
            if 0 <= i < len(sentence):
                hot[sentence[i][column]] = 1
            parts.append(hot)
    return np.concatenate(parts) if parts else np.zeros(0)


def states(xs, fs, u, w, f, b, nonlinearity, s):
    """s_t = f(U x_t + W s_{t-1} + F f_t + b)."""
    found = []
    for x_t, f_t in zip(xs, fs, strict=True):
        s = FUNCTIONS[nonlinearity](u @ x_t + w @ s + (f @ f_t if len(f_t) else 0) + b)
        found.append(s)
    return np.array(found)

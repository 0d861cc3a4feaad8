"""Convolution over the rows of a sentence and pooling over time in NumPy, one window and one filter at a time."""

from __future__ import annotations

import numpy as np


def windows(sentence, weight, bias, f):
    """sentence (T, D), weight (M, D, K): f of every window that fits, (P, M); one too short has zeros at its end."""
    maps, _, size = weight.shape
    if len(sentence) < size:
        sentence = np.concatenate([sentence, np.zeros((size - len(sentence), sentence.shape[1]))])
    result = np.zeros((len(sentence) - size + 1, maps))
    for i in range(len(result)):
        for m in range(maps):
            total = bias[m]
            for offset in range(size):
                total += weight[m, :, offset] @ sentence[i + offset]
            result[i, m] = f(total)
    return result


def k_largest(values, k):
    """The k largest in their order, the earlier of equals; zeros after them where there are fewer."""
    left = dict(enumerate(values))
    while len(left) > k:
        smallest = min(left.values())
        del left[max(i for i, value in left.items() if value == smallest)]
    return [*left.values(), *[0.0] * (k - len(left))]

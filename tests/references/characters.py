"""Character features of one word in NumPy, one map and one place at a time."""

from __future__ import annotations

import numpy as np

from tests.references.lstm import lstm


def convolution(letters, vectors, weight, bias):
    """Ma and Hovy 2016, section 2.1: letters (L) ids, vectors (V, C), weight (M, C, K), bias (M,) -> (M,).

    The windows are those around each letter, with zeros beyond the word."""
    maps, _, width = weight.shape
    before = (width - 1) // 2
    found = np.full(maps, -np.inf)
    for place in range(len(letters)):
        for m in range(maps):
            answer = bias[m]
            for k in range(width):
                at = place + k - before
                if 0 <= at < len(letters):
                    answer += weight[m, :, k] @ vectors[letters[at]]
            found[m] = max(found[m], answer)
    return found if len(letters) else np.zeros(maps)


def both_ways(letters, vectors, ahead, back):
    """Lample et al. 2016, section 4.1: the last state of a net that reads forwards, and of one that reads backwards.

    ahead, back: (w, u, b) by gate, see :func:`tests.references.lstm.lstm`."""
    ends = []
    for order, (w, u, b) in ((letters, ahead), (letters[::-1], back)):
        size = len(next(iter(b.values())))
        if not len(order):
            ends.append(np.zeros(size))
            continue
        states, _, _ = lstm(vectors[order], w, u, b, np.zeros(size), np.zeros(size))
        ends.append(states[-1])
    return np.concatenate(ends)

"""Cross-entropy as a sum over examples and classes."""

from __future__ import annotations

import math


def cross_entropy(log_probs, targets, smoothing, weights):
    """log_probs: rows of C numbers; targets: rows of C probabilities; -> (Σ w·loss, Σ w)."""
    total = count = 0.0
    for row, target, weight in zip(log_probs, targets, weights, strict=True):
        loss = 0.0
        for log_prob, q in zip(row, target, strict=True):
            loss -= ((1 - smoothing) * q + smoothing / len(row)) * log_prob
        total += weight * loss
        count += weight
    return total, count


def log_softmax(row):
    top = max(row)
    norm = top + math.log(sum(math.exp(z - top) for z in row))
    return [z - norm for z in row]

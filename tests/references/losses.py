"""Focal loss, KL divergence and Huber's loss as sums over examples and classes."""

from __future__ import annotations

import math


def focal(log_probs, targets, gamma, weights):
    """log_probs: rows of C numbers; targets: rows of C probabilities; -> (Σ w·loss, Σ w)."""
    total = count = 0.0
    for row, target, weight in zip(log_probs, targets, weights, strict=True):
        loss = 0.0
        for log_prob, q in zip(row, target, strict=True):
            loss -= q * (1 - math.exp(log_prob)) ** gamma * log_prob
        total += weight * loss
        count += weight
    return total, count


def kl(log_probs, targets, smoothing, weights):
    """As :func:`focal`."""
    total = count = 0.0
    for row, target, weight in zip(log_probs, targets, weights, strict=True):
        loss = 0.0
        for log_prob, q in zip(row, target, strict=True):
            smoothed = (1 - smoothing) * q + smoothing / len(row)
            if smoothed > 0:
                loss += smoothed * (math.log(smoothed) - log_prob)
        total += weight * loss
        count += weight
    return total, count


def huber(difference, delta):
    size = abs(difference)
    return size * size / 2 if size <= delta else delta * (size - delta / 2)

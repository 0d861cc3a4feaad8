"""Slow, plain loops for what the review page computes from a table of predictions."""

from __future__ import annotations

import random


def calibration_error(probabilities, right, bins=15):
    """Guo et al. 2017, eq. 5, by looking at every bin in turn."""
    error = 0.0
    for number in range(bins):
        low, high = number / bins, (number + 1) / bins
        inside = [
            (p, hit)
            for p, hit in zip(probabilities, right, strict=True)
            if low <= p < high or (number == bins - 1 and p == 1)
        ]
        if inside:
            confidence = sum(p for p, _ in inside) / len(inside)
            accuracy = sum(hit for _, hit in inside) / len(inside)
            error += len(inside) / len(probabilities) * abs(accuracy - confidence)
    return error


def bootstrap(rows, score, draws=2000, seed=1):
    """The percentile interval by drawing rows one at a time."""
    source = random.Random(seed)
    found = sorted(score([source.choice(rows) for _ in rows]) for _ in range(draws))
    return found[round(0.025 * (draws - 1))], found[round(0.975 * (draws - 1))]

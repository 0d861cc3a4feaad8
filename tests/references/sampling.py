"""Sampling, class weights and curricula, visit by visit in NumPy and plain Python."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np


def oversampled(label: np.ndarray, ratio: float, draws: np.ndarray) -> Counter[int]:
    """How often each position comes: all once; then a class goes through its examples again and again, in the order of
    the draws, until it has as many visits as it should."""
    counts = Counter(label.tolist())
    target = math.floor(ratio * max(counts.values()))
    visits = Counter(range(len(label)))
    for number, count in counts.items():
        own = sorted(np.flatnonzero(label == number), key=lambda position: draws[position])
        for again in range(max(target - count, 0)):
            visits[int(own[again % count])] += 1
    return visits


def undersampled(label: np.ndarray, ratio: float, draws: np.ndarray) -> set[int]:
    """Of each class the positions with the least draws, as many as the smallest class times ratio."""
    least = math.floor(ratio * min(Counter(label.tolist()).values()))
    kept: set[int] = set()
    for number in set(label.tolist()):
        own = sorted(np.flatnonzero(label == number), key=lambda position: draws[position])
        kept.update(int(position) for position in own[:least])
    return kept


def shares(label: np.ndarray, power: float) -> np.ndarray:
    """The probability of each example in a draw."""
    counts = Counter(label.tolist())
    each = np.array([counts[number] ** -power for number in label.tolist()])
    return each / each.sum()


def weighted(label: np.ndarray, power: float, draws: np.ndarray) -> list[int]:
    """The example on whose part of the unit interval a draw falls."""
    found = []
    for u in draws:
        position, below = 0, shares(label, power)[0]
        while u >= below:
            position += 1
            below += shares(label, power)[position]
        found.append(position)
    return found


def competence(kind: str, t: float, start: float, until: float) -> float:
    """Platanios et al. 2019, eq. 7: (t (1 - c0^p) / T + c0^p)^(1/p), and the geometric growth of Penha and Hauff."""
    if t >= until:
        return 1.0
    if kind == "geometric":
        return 2 ** (t / until * (math.log2(1) - math.log2(start)) + math.log2(start))
    p = {"root": 2, "linear": 1}[kind]
    return min(1.0, (t * (1 - start**p) / until + start**p) ** (1 / p))


def paced(
    visits: list[int],
    rank: list[int],
    draws: np.ndarray,
    epoch: int,
    epochs: float,
    kind: str,
    start: float,
    until: float,
) -> list[int]:
    """Algorithm 1: draws among the easiest of an epoch's visits, as many of them as the competence says."""
    pool = sorted(visits, key=lambda position: rank[position])
    found = []
    for slot, visit in enumerate(visits):
        t = (epoch + slot / len(visits)) / epochs
        if t >= until:
            found.append(visit)
            continue
        easy = max(1, math.floor(competence(kind, t, start, until) * len(visits)))
        found.append(pool[int(draws[slot] * easy)])
    return found


def without(label: np.ndarray, absent: set[int]) -> set[int]:
    """Positions of the examples whose class is not left out."""
    return {position for position in range(len(label)) if int(label[position]) not in absent}

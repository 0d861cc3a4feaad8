"""Statistics from their definitions: sums, integrals and enumeration. Imports nothing of ours, and no scipy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence


def t_density(x: float, freedom: int) -> float:
    """Student 1908, in Fisher's form."""
    constant = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - 0.5 * math.log(freedom * math.pi)
    return math.exp(constant - (freedom + 1) / 2 * math.log1p(x * x / freedom))


def t_above(t: float, freedom: int, steps: int = 2000) -> float:
    """P(T > t) for t >= 0, by the midpoint rule on x = t + u/(1 - u)."""
    middles = ((number + 0.5) / steps for number in range(steps))
    return sum(t_density(t + u / (1 - u), freedom) / (1 - u) ** 2 for u in middles) / steps


def t_bound(freedom: int, above: float = 0.025) -> float:
    """The t above which lies that share: by halving."""
    low, high = 0.0, 1000.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if t_above(middle, freedom) > above else (low, middle)
    return low


def sign_flip_p(differences: Sequence[float]) -> float:
    """Every combination of signs, one after another."""
    observed = abs(sum(differences))
    sums = [
        abs(sum(sign * value for sign, value in zip(signs, differences, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(differences))
    ]
    return sum(one >= observed - 1e-12 for one in sums) / len(sums)


def holm_rejected(values: Sequence[float], alpha: float) -> set[int]:
    """Holm 1979, as the procedure is told: from the smallest p on, until one is not small enough."""
    rejected: set[int] = set()
    for done, place in enumerate(sorted(range(len(values)), key=lambda number: values[number])):
        if values[place] > alpha / (len(values) - done):
            break
        rejected.add(place)
    return rejected

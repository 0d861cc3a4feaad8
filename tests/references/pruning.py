"""What pruning does, unit by unit and weight by weight."""

import math

import numpy as np


def norms(rows, order):
    """The norm of each row (or of all its rows together, where a unit has several), entry by entry."""
    made = []
    for row in rows:
        total = 0.0
        for entry in np.ravel(row):
            total += abs(entry) if order == 1 else entry * entry
        made.append(total if order == 1 else math.sqrt(total))
    return made


def kept(scores, ratio, floor, together):
    """{layer: units that stay}: the weakest leave one at a time, of equal ones the earlier; a layer that is down to its
    floor loses no more."""
    least = {name: math.ceil(floor * len(s)) if floor < 1 else min(int(floor), len(s)) for name, s in scores.items()}
    left = {name: list(range(len(s))) for name, s in scores.items()}
    layers = [list(scores)] if together else [[name] for name in scores]
    for names in layers:
        for _ in range(math.floor(ratio * sum(len(scores[name]) for name in names) + 1e-9)):  # 0.29 of 100 is 29
            weakest = None
            for name in names:
                if len(left[name]) > least[name]:
                    for unit in left[name]:
                        if weakest is None or scores[name][unit] < scores[weakest[0]][weakest[1]]:
                            weakest = name, unit
            if weakest is not None:
                left[weakest[0]].remove(weakest[1])
    return left


def cubic(t, t0, n, delta, initial, final):
    """Zhu and Gupta 2017, eq. 1, for t in {t0, t0 + Δt, …, t0 + nΔt}."""
    return final + (initial - final) * (1 - (t - t0) / (n * delta)) ** 3


def held(weight, share):
    """Which entries of the smallest |w| are held at zero."""
    flat = np.abs(np.ravel(weight))
    order = sorted(range(len(flat)), key=lambda place: (flat[place], place))
    made = np.zeros(len(flat), dtype=bool)
    for place in order[: math.floor(share * len(flat) + 1e-9)]:
        made[place] = True
    return made.reshape(np.shape(weight))

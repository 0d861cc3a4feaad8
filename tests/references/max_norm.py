"""Rows longer than a bound, shortened to it, entry by entry."""

import math

import numpy as np


def max_norm(weight, bound):
    made = np.array(weight, dtype=np.float64)
    for row in made.reshape(len(made), -1):
        length = math.sqrt(sum(entry * entry for entry in row))
        if length > bound:
            for place, entry in enumerate(row):
                row[place] = entry * bound / length
    return made

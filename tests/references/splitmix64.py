"""splitmix64 (Steele, Lea and Flood 2014) in Python integers."""

from __future__ import annotations

WORD = 2**64


def finalize(x):
    """The output function alone."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % WORD
    return x ^ (x >> 31)


def uniform(start, index):
    """The number in [0, 1) at a place of the sequence that starts at ``start``: 53 bits."""
    return (finalize((start + index * 0x9E3779B97F4A7C15) % WORD) >> 11) / 2**53

"""Quantisation in NumPy, one weight, one channel and one bin at a time, in the order in which papers write it."""

from __future__ import annotations

import numpy as np


def nearest(value, scale, zero, least, most):
    """The integer of a real number: round half to even, then cut off."""
    integer = int(np.rint(np.float32(value) * (np.float32(1) / np.float32(scale)))) + zero
    return min(max(integer, least), most)


def symmetric(values, bits):
    """(scale, integers) of one channel or group: max|w| lies half a step outside the greatest integer."""
    half = 2 ** (bits - 1)
    largest = max(abs(float(value)) for value in values)
    scale = np.float32(largest) / np.float32(half - 0.5) if largest else np.float32(1)
    return scale, [nearest(value, scale, 0, -half, half - 1) for value in values]


def channels(weight, axis, bits):
    """Each channel of a weight on a grid of its own: the real numbers."""
    weight = np.moveaxis(weight, axis, 0)
    made = np.empty_like(weight)
    for number, channel in enumerate(weight):
        scale, integers = symmetric(channel.ravel(), bits)
        made[number] = (np.array(integers, np.float32) * scale).reshape(channel.shape)
    return np.moveaxis(made, 0, axis)


def bfloat16(value):
    """The nearest number with eight significant bits, halves to even."""
    bits = int(np.float32(value).view(np.uint32))
    kept = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return np.uint32(kept).view(np.float32)


def groups(weight, bits, size):
    """Neighbours within each row of a matrix on grids whose scales are bfloat16; the last group may be shorter."""
    made = np.empty_like(weight)
    half = 2 ** (bits - 1)
    for row in range(len(weight)):
        for start in range(0, weight.shape[1], size):
            group = weight[row, start : start + size]
            scale = bfloat16(max(abs(group)) / np.float32(half - 0.5))
            for offset, value in enumerate(group):
                made[row, start + offset] = np.float32(nearest(value, scale, 0, -half, half - 1)) * scale
    return made


def asymmetric(low, high):
    """(scale, zero point) of bytes for a range that is widened to hold 0."""
    low, high = min(np.float32(low), np.float32(0)), max(np.float32(high), np.float32(0))
    scale = (high - low) / np.float32(255)
    return scale, int(min(max(np.rint(-low / scale), 0), 255))


def rounded(values, low, high):
    """Values on that grid."""
    scale, zero = asymmetric(low, high)
    return np.array([np.float32(nearest(v, scale, zero, 0, 255) - zero) * scale for v in values.ravel()]).reshape(
        values.shape
    )


def running(ranges, momentum):
    """The running range after each of several batches' (least, greatest)."""
    held = None
    for low, high in ranges:
        if held is None:
            held = low, high
        held = momentum * held[0] + (1 - momentum) * low, momentum * held[1] + (1 - momentum) * high
        yield held


def nibbles(integers):
    """Four-bit integers two to a byte, the first in the low half."""
    found = [int(value) & 15 for value in integers]
    found += [0] * (len(found) % 2)
    return [low + 16 * high for low, high in zip(found[::2], found[1::2], strict=True)]

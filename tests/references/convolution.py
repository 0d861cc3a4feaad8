"""Convolution and pooling in NumPy, one pixel at a time."""

from __future__ import annotations

import numpy as np


def convolve(image, weight, bias):
    """image (C, H, W), weight (O, C, k, k), zeros around, same size; an even kernel has its extra pixel at the end."""
    channels, height, width = image.shape
    out, _, k, _ = weight.shape
    before = (k - 1) // 2
    result = np.zeros((out, height, width))
    for o in range(out):
        for y in range(height):
            for x in range(width):
                total = 0.0 if bias is None else bias[o]
                for c in range(channels):
                    for dy in range(k):
                        for dx in range(k):
                            row, column = y + dy - before, x + dx - before
                            if 0 <= row < height and 0 <= column < width:
                                total += weight[o, c, dy, dx] * image[c, row, column]
                result[o, y, x] = total
    return result


def pool(image, reduce):
    """2x2 windows, what is left over at the right and bottom dropped."""
    channels, height, width = image.shape
    result = np.zeros((channels, height // 2, width // 2))
    for c in range(channels):
        for y in range(height // 2):
            for x in range(width // 2):
                result[c, y, x] = reduce(image[c, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2])
    return result

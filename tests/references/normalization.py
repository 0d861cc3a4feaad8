"""Group, instance and root mean square normalisation as loops over examples, groups and values."""

from __future__ import annotations

import math

import numpy as np

EPS = 1e-5
RMS_EPS = 1e-6


def group(x, scale, shift, num_groups):
    """x (B, C, …), features second: mean and deviation of each example over the values of each group."""
    y = np.empty_like(x)
    width = x.shape[1] // num_groups
    for b in range(x.shape[0]):
        for g in range(num_groups):
            channels = range(g * width, (g + 1) * width)
            values = [v for c in channels for v in np.ravel(x[b, c])]
            mean = sum(values) / len(values)
            variance = sum((v - mean) ** 2 for v in values) / len(values)
            for c in channels:
                y[b, c] = scale[c] * (x[b, c] - mean) / math.sqrt(variance + EPS) + shift[c]
    return y


def instance(x, scale, shift):
    """x (B, C, H, W): mean and deviation of each channel of each image."""
    y = np.empty_like(x)
    for b in range(x.shape[0]):
        for c in range(x.shape[1]):
            values = np.ravel(x[b, c])
            mean = sum(values) / len(values)
            variance = sum((v - mean) ** 2 for v in values) / len(values)
            y[b, c] = scale[c] * (x[b, c] - mean) / math.sqrt(variance + EPS) + shift[c]
    return y


def rms(x, scale):
    """x (B, C, …), features second: each example divided by the root of its mean square."""
    y = np.empty_like(x)
    for b in range(x.shape[0]):
        values = np.ravel(x[b])
        root = math.sqrt(sum(v * v for v in values) / len(values) + RMS_EPS)
        for c in range(x.shape[1]):
            y[b, c] = scale[c] * x[b, c] / root
    return y

"""CutMix, Yun et al. 2019, algorithm A1, example by example."""

from __future__ import annotations

import numpy as np


def box(height, width, lam, row, column):
    """rand_bbox of the published code: sides cut by sqrt(1 - lam) around (row, column), clipped to the image."""
    tall, wide = int(height * np.sqrt(1 - lam) / 2), int(width * np.sqrt(1 - lam) / 2)
    return max(row - tall, 0), max(column - wide, 0), min(row + tall, height), min(column + wide, width)


def cutmix(x, y, partner, boxes):
    """x (B, C, H, W), y (B, …); boxes of (top, left, bottom, right)."""
    mixed_x, mixed_y = [], []
    height, width = x.shape[-2:]
    for i, (top, left, bottom, right) in enumerate(boxes):
        j = partner[i]
        image = x[i].copy()
        area = 0
        for row in range(top, bottom):
            for column in range(left, right):
                image[:, row, column] = x[j][:, row, column]
                area += 1
        lam = 1 - area / (height * width)
        mixed_x.append(image)
        mixed_y.append(lam * y[i] + (1 - lam) * y[j])
    return np.stack(mixed_x), np.stack(mixed_y)

"""Mixup, Zhang et al. 2018, eq. 1, example by example."""

from __future__ import annotations

import numpy as np


def mixup(x: np.ndarray, y: np.ndarray, partner: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mixed_x, mixed_y = [], []
    for i in range(len(x)):
        j, lam = partner[i], weight[i]
        mixed_x.append(lam * x[i] + (1 - lam) * x[j])
        mixed_y.append(lam * y[i] + (1 - lam) * y[j])
    return np.stack(mixed_x), np.stack(mixed_y)

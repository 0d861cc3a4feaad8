"""Updates in NumPy, one number at a time, as the papers write them."""

from __future__ import annotations

import math


def sgd(weights, gradient, lr, steps, weight_decay=0.0):
    weights = list(weights)
    for _ in range(steps):
        grads = [g + weight_decay * w for g, w in zip(gradient(weights), weights, strict=True)]
        weights = [w - lr * g for w, g in zip(weights, grads, strict=True)]
    return weights


def adam(weights, gradient, lr, betas, eps, steps, weight_decay=0.0):
    """Kingma and Ba 2015, algorithm 1."""
    weights = list(weights)
    m = [0.0] * len(weights)
    v = [0.0] * len(weights)
    for t in range(1, steps + 1):
        grads = [g + weight_decay * w for g, w in zip(gradient(weights), weights, strict=True)]
        for i, g in enumerate(grads):
            m[i] = betas[0] * m[i] + (1 - betas[0]) * g
            v[i] = betas[1] * v[i] + (1 - betas[1]) * g * g
            m_hat = m[i] / (1 - betas[0] ** t)
            v_hat = v[i] / (1 - betas[1] ** t)
            weights[i] -= lr * m_hat / (math.sqrt(v_hat) + eps)
    return weights


def clip_norm(grads, max_norm):
    norm = math.sqrt(sum(g * g for g in grads))
    return [g * min(1.0, max_norm / (norm + 1e-6)) for g in grads], norm


def exponential_average(start, values, decay):
    """The average after each of the values."""
    average = list(start)
    seen = []
    for t, weights in enumerate(values):
        d = min(decay, (1 + t) / (10 + t))
        average = [d * a + (1 - d) * w for a, w in zip(average, weights, strict=True)]
        seen.append(average)
    return seen

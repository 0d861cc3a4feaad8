"""Distillation losses example by example in NumPy, from the papers' equations."""

from __future__ import annotations

import math

import numpy as np


def softmax(z, temperature=1.0):
    z = np.asarray(z, dtype=np.float64) / temperature
    e = np.exp(z - z.max())
    return e / e.sum()


def kl(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def sigmoid(z, temperature=1.0):
    return 1 / (1 + math.exp(-z / temperature))


def hinton(teacher, student, temperature):
    """T²·KL of each row of logits: Hinton et al. 2015, section 2."""
    return np.array(
        [
            temperature**2 * kl(softmax(t, temperature), softmax(s, temperature))
            for t, s in zip(teacher, student, strict=True)
        ]
    )


def hinton_labels(teacher, student, temperature):
    """The same of each label's two outcomes."""
    each = np.zeros_like(np.asarray(student, dtype=np.float64))
    for row, column in np.ndindex(*each.shape):
        p, q = sigmoid(teacher[row][column], temperature), sigmoid(student[row][column], temperature)
        each[row, column] = temperature**2 * kl([p, 1 - p], [q, 1 - q])
    return each


def decoupled(teacher, student, label, alpha, beta, temperature):
    """T²·(α·TCKD + β·NCKD) of each row: Zhao et al. 2022, equations 4 to 7."""
    each = []
    for t, s, y in zip(teacher, student, label, strict=True):
        p, q = softmax(t, temperature), softmax(s, temperature)
        target = kl([p[y], 1 - p[y]], [q[y], 1 - q[y]])
        others = [c for c in range(len(p)) if c != y]
        among = kl([p[c] / (1 - p[y]) for c in others], [q[c] / (1 - q[y]) for c in others])
        each.append(temperature**2 * (alpha * target + beta * among))
    return np.array(each)


def pooled(x, size):
    """The mean over blocks of (C, H, W), its sides multiples of ``size``."""
    channels, height, width = x.shape
    high, wide = height // size[0], width // size[1]
    y = np.zeros((channels, *size))
    for c, i, j in np.ndindex(*y.shape):
        y[c, i, j] = x[c, i * high : (i + 1) * high, j * wide : (j + 1) * wide].mean()
    return y


def hint(teacher, student, weight, bias):
    """½ mean (h - W g - b)² of each example's maps, W over channels, pixel by pixel: Romero et al. 2015, equation 3."""
    each = []
    for h, g in zip(teacher, student, strict=True):
        r = np.zeros((len(weight), *g.shape[1:]))
        for out in range(len(weight)):
            r[out] = bias[out] + sum(weight[out][c] * g[c] for c in range(len(g)))
        size = [min(a, b) for a, b in zip(h.shape[1:], r.shape[1:], strict=True)]
        each.append(0.5 * np.mean((pooled(h, size) - pooled(r, size)) ** 2))
    return np.array(each)


def attention(teacher, student):
    """‖Q_S/‖Q_S‖ - Q_T/‖Q_T‖‖² / N of each example's maps: Zagoruyko and Komodakis 2017, equation 2."""
    each = []
    for t, s in zip(teacher, student, strict=True):
        looks = []
        for maps in (t, s):
            q = np.zeros(maps.shape[1:])
            for channel in maps:
                q += channel**2
            looks.append(q)
        size = [min(a, b) for a, b in zip(looks[0].shape, looks[1].shape, strict=True)]
        a, b = (pooled(q[None], size)[0].reshape(-1) for q in looks)
        a, b = a / math.sqrt(sum(a**2)), b / math.sqrt(sum(b**2))
        each.append(sum((a - b) ** 2) / len(a))
    return np.array(each)


def mutual(logits, beta):
    """β Σ_k mean over l ≠ k of KL(p_l ‖ p_k), for each example: Zhang et al. 2018, equation 8."""
    members, examples = len(logits), len(logits[0])
    each = np.zeros(examples)
    for row in range(examples):
        for k in range(members):
            for other in range(members):
                if other != k:
                    each[row] += beta / (members - 1) * kl(softmax(logits[other][row]), softmax(logits[k][row]))
    return each


def averages(weights, decay):
    """a_t = d_t a_{t-1} + (1 - d_t) w_t from a_0 = weights[0] on; all of them."""
    average, found = weights[0], []
    for t, w in enumerate(weights[1:]):
        d = min(decay, (1 + t) / (10 + t))
        average = d * average + (1 - d) * w
        found.append(average)
    return found

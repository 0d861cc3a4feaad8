"""Attention and positions in NumPy, one head and one pair of positions at a time."""

from __future__ import annotations

import math

import numpy as np


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def attention(query, key, value, may_look):
    """One head: query, key, value (T, hs); may_look(i, j) -> bool."""
    mixed = np.zeros_like(value)
    for i in range(len(query)):
        seen = [j for j in range(len(key)) if may_look(i, j)]
        weights = softmax(np.array([query[i] @ key[j] / math.sqrt(query.shape[1]) for j in seen]))
        for weight, j in zip(weights, seen, strict=True):
            mixed[i] += weight * value[j]
    return mixed


def unit(x):
    """Each row divided by its root mean square; ε as normalization=rms has it."""
    return x / np.sqrt((x**2).mean(1, keepdims=True) + 1e-6)


def self_attention(x, weight, bias, out_weight, out_bias, num_heads, may_look, rotate=None, norm=False):
    """x (T, S); weight (3S, S) holds the rows of Q, K, V."""
    size = x.shape[1]
    query, key, value = (x @ weight[k * size : (k + 1) * size].T + bias[k * size : (k + 1) * size] for k in range(3))
    heads = []
    for head in np.split(np.arange(size), num_heads):
        q, k = query[:, head], key[:, head]
        if norm:
            q, k = unit(q), unit(k)
        if rotate is not None:
            q, k = rotate(q), rotate(k)
        heads.append(attention(q, k, value[:, head], may_look))
    return np.concatenate(heads, 1) @ out_weight.T + out_bias


def sinusoids(length, size):
    table = np.zeros((length, size))
    for pos in range(length):
        for j in range(size):
            angle = pos / 10000 ** (2 * (j // 2) / size)
            table[pos, j] = math.sin(angle) if j % 2 == 0 else math.cos(angle)
    return table


def rotate(x):
    """RoFormer, eq. 15: the block-diagonal rotation matrix of each position, written out."""
    length, size = x.shape
    turned = np.zeros_like(x)
    for m in range(length):
        matrix = np.zeros((size, size))
        for i in range(size // 2):
            theta = m * 10000 ** (-2 * i / size)
            block = [[math.cos(theta), -math.sin(theta)], [math.sin(theta), math.cos(theta)]]
            matrix[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = block
        turned[m] = matrix @ x[m]
    return turned

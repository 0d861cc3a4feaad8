"""LSTM loops in NumPy, one example and one gate at a time."""

from __future__ import annotations

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def layer_norm(x, scale, shift, eps=1e-5):
    return scale * (x - x.mean()) / np.sqrt(x.var() + eps) + shift


def lstm(x, w, u, b, h, c):
    """x (T, D); w {gate: (H, D)}, u {gate: (H, H)}, b {gate: (H,)} -> states (T, H), h, c."""
    states = []
    for x_t in x:
        a = {gate: w[gate] @ x_t + u[gate] @ h + b[gate] for gate in "ifog"}
        c = sigmoid(a["f"]) * c + sigmoid(a["i"]) * np.tanh(a["g"])
        h = sigmoid(a["o"]) * np.tanh(c)
        states.append(h)
    return np.array(states), h, c


def normalized_lstm(x, w, u, b, norm_x, norm_h, norm_c, h, c):
    """Ba et al. 2016, eq. 20-22: w (4H, D), u (4H, H), b (4H,), gates in the order f, i, o, g; norms (scale, shift)."""
    states = []
    for x_t in x:
        a = layer_norm(u @ h, *norm_h) + layer_norm(w @ x_t, *norm_x) + b
        f, i, o, g = np.split(a, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(layer_norm(c, *norm_c))
        states.append(h)
    return np.array(states), h, c

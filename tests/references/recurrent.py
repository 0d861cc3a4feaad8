"""Elman's net and gated recurrent units in NumPy, one example, one step and one gate at a time."""

from __future__ import annotations

import numpy as np

from tests.references.lstm import layer_norm, sigmoid


def elman(x, w, u, b, h, f):
    """h_t = f(W x_t + U h_{t-1} + b): x (T, D) -> states (T, H)."""
    states = []
    for x_t in x:
        h = f(w @ x_t + u @ h + b)
        states.append(h)
    return np.array(states)


def normalized_elman(x, w, u, norm, h, f):
    """Ba et al. 2016, eq. 4, with norm = (scale, shift)."""
    states = []
    for x_t in x:
        h = f(layer_norm(w @ x_t + u @ h, *norm))
        states.append(h)
    return np.array(states)


def gru(x, w, u, b, b_after, h, reset):
    """w, u, b {gate: matrix or vector} for u (update), r (reset) and n (the new state); b_after (H,) inside r∘(…)."""
    states = []
    for x_t in x:
        update = sigmoid(w["u"] @ x_t + u["u"] @ h + b["u"])
        r = sigmoid(w["r"] @ x_t + u["r"] @ h + b["r"])
        if reset == "before":
            new = np.tanh(w["n"] @ x_t + u["n"] @ (r * h) + b["n"])
        else:
            new = np.tanh(w["n"] @ x_t + b["n"] + r * (u["n"] @ h + b_after))
        h = (1 - update) * h + update * new
        states.append(h)
    return np.array(states)


def normalized_gru(x, w, u, norm_x, norm_h, h, reset):
    """w (3H, D), u (3H, H), rows r, z, n; norm_x and norm_h two (scale, shift) each: of the gates, of the new state."""
    size = len(h)
    states = []
    for x_t in x:
        gates = layer_norm(w[: 2 * size] @ x_t, *norm_x[0]) + layer_norm(u[: 2 * size] @ h, *norm_h[0])
        r, z = sigmoid(gates[:size]), sigmoid(gates[size:])
        inputs = layer_norm(w[2 * size :] @ x_t, *norm_x[1])
        if reset == "before":
            new = np.tanh(inputs + layer_norm(u[2 * size :] @ (r * h), *norm_h[1]))
        else:
            new = np.tanh(inputs + r * layer_norm(u[2 * size :] @ h, *norm_h[1]))
        h = z * h + (1 - z) * new
        states.append(h)
    return np.array(states)

"""What diagnostics measure, computed another way: by the definition, densely, in NumPy or by torch's dense Hessian."""

from __future__ import annotations

import numpy as np
import torch


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def rnn_jacobian(u: np.ndarray, h: np.ndarray) -> np.ndarray:
    """∂h_t/∂h_{t-1} = diag(1 - h_t²) U of a tanh net (Pascanu et al. 2013, eq. 5, with f' = 1 - tanh²)."""
    return np.diag(1 - h**2) @ u


def lstm_jacobian(w, u, b, x, h, c) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """∂(h_t, c_t)/∂(h_{t-1}, c_{t-1}) by the product rule, and h_t, c_t; gates i, f, g, o one above the other."""
    size = len(h)
    a = w @ x + u @ h + b
    (ai, af, ag, ao), (ui, uf, ug, uo) = a.reshape(4, size), u.reshape(4, size, size)
    i, f, g, o = sigmoid(ai), sigmoid(af), np.tanh(ag), sigmoid(ao)
    new = f * c + i * g
    t = np.tanh(new)
    c_h = np.diag(c * f * (1 - f)) @ uf + np.diag(g * i * (1 - i)) @ ui + np.diag(i * (1 - g**2)) @ ug
    c_c = np.diag(f)
    h_h = np.diag(t * o * (1 - o)) @ uo + np.diag(o * (1 - t**2)) @ c_h
    h_c = np.diag(o * (1 - t**2)) @ c_c
    return np.block([[h_h, h_c], [c_h, c_c]]), o * t, new


def dense_hessian(loss, parameters: list[torch.Tensor]) -> np.ndarray:
    """The whole matrix: ``loss`` of parameters in the order given, by torch.autograd.functional.hessian."""
    sizes = [p.numel() for p in parameters]

    def of(flat: torch.Tensor) -> torch.Tensor:
        return loss([piece.view_as(p) for piece, p in zip(flat.split(sizes), parameters, strict=True)])

    flat = torch.cat([p.detach().flatten() for p in parameters])
    found = torch.autograd.functional.hessian(of, flat)
    assert isinstance(found, torch.Tensor)
    return found.numpy()


def dead_share(outputs: np.ndarray) -> float:
    """Of (examples, units): the share of units that are never above zero, by counting."""
    dead = 0
    for unit in range(outputs.shape[1]):
        awake = False
        for example in range(outputs.shape[0]):
            awake = awake or outputs[example, unit] > 0
        dead += not awake
    return dead / outputs.shape[1]


def lstm_gates(w, u, b, xs, threshold: float) -> dict[str, tuple[float, float]]:
    """Karpathy et al. 2015: of each gate of an LSTM, the shares of its activations below 1 - θ and above θ (of the
    candidate, tanh, below -θ and above θ), by the loop of the definition over xs (B, T, D)."""
    size = u.shape[1]
    kept: dict[str, list[np.ndarray]] = {"input": [], "forget": [], "candidate": [], "output": []}
    for sequence in xs:
        h, c = np.zeros(size), np.zeros(size)
        for x in sequence:
            ai, af, ag, ao = (w @ x + u @ h + b).reshape(4, size)
            i, f, g, o = sigmoid(ai), sigmoid(af), np.tanh(ag), sigmoid(ao)
            c = f * c + i * g
            h = o * np.tanh(c)
            for name, values in zip(kept, (i, f, g, o), strict=True):
                kept[name].append(values)
    found = {}
    for name, values in kept.items():
        every = np.concatenate(values)
        bottom = -threshold if name == "candidate" else 1 - threshold
        found[name] = (float((every < bottom).mean()), float((every > threshold).mean()))
    return found

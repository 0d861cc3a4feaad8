"""The net's plain layer and its highway layers against loops; closed gates hand on what the plain layer made."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from assay.layers import normalization
from assay.models.highway import HighwayNet
from tests.references.lstm import sigmoid


def test_against_loops():
    model = HighwayNet((3,), 5, 4, False, -1.0, nn.Tanh, normalization.none, 0.0).double()
    x = torch.randn(2, 3, dtype=torch.float64)
    arrays = [p.detach().numpy() for p in model.parameters()]
    assert len(arrays) == 2 + 4 * 4
    for row, ours in zip(x.numpy(), model(x).last.detach().numpy(), strict=True):
        y = np.tanh(arrays[0] @ row + arrays[1])
        for w_h, b_h, w_t, b_t in zip(*(iter(arrays[2:]),) * 4, strict=True):
            gate = sigmoid(w_t @ y + b_t)
            y = np.tanh(w_h @ y + b_h) * gate + y * (1 - gate)
        np.testing.assert_allclose(ours, y, atol=1e-12)


def test_closed_gates_make_a_deep_net_a_shallow_one():
    model = HighwayNet((3,), 5, 50, False, -60.0, nn.ReLU, normalization.none, 0.0)
    x = torch.randn(2, 3)
    torch.testing.assert_close(model(x).last, model.first(x))

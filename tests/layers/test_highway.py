"""Highway against the formula in NumPy."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from assay.layers import initialization, normalization
from assay.layers.highway import Highway
from tests.references.lstm import layer_norm, sigmoid


def arrays(module):
    return [p.detach().numpy() for p in module.parameters()]


def test_against_the_formula():
    layer = Highway(5, -1.0, nn.Tanh, normalization.none).double()
    x = torch.randn(4, 5, dtype=torch.float64)
    (w_h, b_h), (w_t, b_t) = arrays(layer.transform), arrays(layer.gate)
    for row, y in zip(x.numpy(), layer(x).detach().numpy(), strict=True):
        gate = sigmoid(w_t @ row + b_t)
        np.testing.assert_allclose(y, np.tanh(w_h @ row + b_h) * gate + row * (1 - gate), atol=1e-12)


def test_a_normalisation_stands_before_the_activation_and_for_the_bias():
    layer = Highway(5, -1.0, nn.Tanh, normalization.layer).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    x = torch.randn(4, 5, dtype=torch.float64)
    (w_h, scale, shift), (w_t, b_t) = arrays(layer.transform), arrays(layer.gate)
    for row, y in zip(x.numpy(), layer(x).detach().numpy(), strict=True):
        gate = sigmoid(w_t @ row + b_t)
        np.testing.assert_allclose(
            y, np.tanh(layer_norm(w_h @ row, scale, shift)) * gate + row * (1 - gate), atol=1e-12
        )


def test_the_gate_starts_biased_whatever_init_is_chosen():
    layer = Highway(6, -40.0, nn.ReLU, normalization.none)
    x = torch.randn(3, 6)
    torch.testing.assert_close(layer(x), x)
    initialization.initialize(layer, nn.init.xavier_uniform_)
    assert (layer.gate.bias == -40).all()
    assert not layer.transform[0].bias.any()
    torch.testing.assert_close(layer(x), x)

"""MLP against its formula in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from assay.layers import normalization
from assay.models.mlp import MLP


def test_against_the_formula():
    model = MLP((4,), [5, 3], nn.Tanh, normalization.none, 0.0).double()
    x = torch.randn(6, 4, dtype=torch.float64)
    h = x.numpy()
    for layer in (m for m in model.modules() if isinstance(m, nn.Linear)):
        h = np.tanh(h @ layer.weight.detach().numpy().T + layer.bias.detach().numpy())
    np.testing.assert_allclose(model(x).last.detach().numpy(), h, atol=1e-12)


@pytest.mark.parametrize("norm", [normalization.batch, normalization.layer])
def test_the_normalisation_stands_before_the_activation_and_replaces_the_bias(norm):
    model = MLP((4,), [5], nn.Tanh, norm, 0.0).double()
    x = torch.randn(6, 4, dtype=torch.float64)
    h = x.numpy() @ model.layers[0].weight.detach().numpy().T
    axis = 0 if norm is normalization.batch else 1
    h = (h - h.mean(axis, keepdims=True)) / np.sqrt(h.var(axis, keepdims=True) + 1e-5)
    assert model.layers[0].bias is None
    np.testing.assert_allclose(model(x).last.detach().numpy(), np.tanh(h), atol=1e-12)


def test_no_hidden_layer_is_a_linear_model():
    x = torch.randn(2, 4)
    model = MLP((4,), [], nn.ReLU, normalization.none, 0.0)
    assert torch.equal(model(x).last, x)
    assert model.output_size == 4

"""MLP against its formula in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from assay.layers import normalization
from assay.layers.random import Dropout, KeyedStreams, name_layers
from assay.models.mlp import MLP


def test_against_the_formula():
    model = MLP((4,), [5, 3], nn.Tanh, normalization.none, 0.0, 0.0).double()
    x = torch.randn(6, 4, dtype=torch.float64)
    h = x.numpy()
    for layer in (m for m in model.modules() if isinstance(m, nn.Linear)):
        h = np.tanh(h @ layer.weight.detach().numpy().T + layer.bias.detach().numpy())
    np.testing.assert_allclose(model(x).last.detach().numpy(), h, atol=1e-12)


@pytest.mark.parametrize("norm", [normalization.batch, normalization.layer])
def test_the_normalisation_stands_before_the_activation_and_replaces_the_bias(norm):
    model = MLP((4,), [5], nn.Tanh, norm, 0.0, 0.0).double()
    x = torch.randn(6, 4, dtype=torch.float64)
    h = x.numpy() @ model.layers[0].weight.detach().numpy().T
    axis = 0 if norm is normalization.batch else 1
    h = (h - h.mean(axis, keepdims=True)) / np.sqrt(h.var(axis, keepdims=True) + 1e-5)
    assert model.layers[0].bias is None
    np.testing.assert_allclose(model(x).last.detach().numpy(), np.tanh(h), atol=1e-12)


def test_no_hidden_layer_is_a_linear_model():
    x = torch.randn(2, 4)
    model = MLP((4,), [], nn.ReLU, normalization.none, 0.0, 0.0)
    assert torch.equal(model(x).last, x)
    assert model.output_size == 4


def test_each_layer_and_the_input_drop_at_a_rate_of_their_own():
    """The formula with the masks that were drawn; each leaves about its share."""
    model = MLP((400,), [300, 200], nn.Tanh, normalization.none, [0.5, 0.1], 0.2).double()
    name_layers(model)
    masks = []
    for module in model.modules():
        if isinstance(module, Dropout):
            module.register_forward_hook(lambda _, given, out: masks.append((out / given[0]).detach().numpy()))
    x = torch.randn(50, 400, dtype=torch.float64)
    with KeyedStreams(0):
        last = model(x).last.detach().numpy()
    for mask, rate in zip(masks, [0.2, 0.5, 0.1], strict=True):
        assert set(np.round(np.unique(mask), 9)) == {0, round(1 / (1 - rate), 9)}
        assert abs((mask == 0).mean() - rate) < 0.02
    h = x.numpy() * masks[0]
    for layer, mask in zip([m for m in model.modules() if isinstance(m, nn.Linear)], masks[1:], strict=True):
        h = np.tanh(h @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()) * mask
    np.testing.assert_allclose(last, h, atol=1e-12)

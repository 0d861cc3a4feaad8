"""Each normalisation against its formula in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.errors import ConfigError
from assay.layers import normalization

SHAPES = {0: (6, 5), 1: (6, 4, 5), 2: (6, 5, 4, 3)}


def normalize(x, axes):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)


def affine(y, scale, shift, dims):
    shape = (-1, 1, 1) if dims == 2 else (-1,)
    return y * scale.reshape(shape) + shift.reshape(shape)


def make(factory, dims):
    module = factory(5, spatial_dims=dims).double()
    with torch.no_grad():
        module.weight.copy_(torch.randn(5))
        module.bias.copy_(torch.randn(5))
    return module


@pytest.mark.parametrize(("dims", "axes"), [(0, (1,)), (1, (2,)), (2, (1, 2, 3))])
def test_layer(dims, axes):
    x = torch.randn(SHAPES[dims], dtype=torch.float64) * 3 + 2
    module = make(normalization.layer, dims)
    expected = affine(normalize(x.numpy(), axes), module.weight.detach().numpy(), module.bias.detach().numpy(), dims)
    np.testing.assert_allclose(module(x).detach().numpy(), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("dims", "axes"), [(0, (0,)), (2, (0, 2, 3))])
def test_batch(dims, axes):
    module = make(normalization.batch, dims)
    scale, shift = module.weight.detach().numpy(), module.bias.detach().numpy()
    shape = (1, 5, 1, 1) if dims == 2 else (1, 5)
    mean, var = np.zeros(5), np.ones(5)
    for _ in range(3):
        x = torch.randn(SHAPES[dims], dtype=torch.float64) * 3 + 2
        expected = affine(normalize(x.numpy(), axes), scale, shift, dims)
        np.testing.assert_allclose(module(x).detach().numpy(), expected, rtol=1e-9, atol=1e-12)
        mean = 0.9 * mean + 0.1 * x.numpy().mean(axes)
        var = 0.9 * var + 0.1 * x.numpy().var(axes, ddof=1)
    module.eval()
    x = torch.randn(SHAPES[dims], dtype=torch.float64)
    population = (x.numpy() - mean.reshape(shape)) / np.sqrt(var.reshape(shape) + 1e-5)
    np.testing.assert_allclose(module(x).detach().numpy(), affine(population, scale, shift, dims), rtol=1e-9)


def test_none():
    x = torch.randn(3, 5)
    assert normalization.none(5)(x) is x
    assert not normalization.has_shift(normalization.none(5))
    assert normalization.has_shift(normalization.layer(5))
    assert normalization.has_shift(normalization.batch(5, spatial_dims=2))


@pytest.mark.parametrize(("dims", "shape"), [(0, (1, 5)), (2, (1, 5, 1, 1))])
def test_a_training_batch_of_one_value_per_feature_is_refused_in_words(dims, shape):
    module = normalization.batch(5, spatial_dims=dims)
    with pytest.raises(ConfigError, match=r"normalization=layer, or a data\.batch_size"):
        module(torch.ones(shape))
    module.eval()
    assert module(torch.ones(shape)).shape == shape


def test_one_image_of_several_pixels_has_statistics():
    assert normalization.batch(5, spatial_dims=2)(torch.randn(1, 5, 2, 1)).shape == (1, 5, 2, 1)


def test_batch_norm_of_a_sequence_is_refused():
    with pytest.raises(ConfigError, match="padded positions of a sequence: use normalization=layer or none"):
        normalization.batch(5, spatial_dims=1)

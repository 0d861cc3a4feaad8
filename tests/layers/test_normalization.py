"""Each normalisation against its formula in NumPy; what each is a case of; which inputs are refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.errors import ConfigError
from assay.layers import normalization
from tests.options import option, options
from tests.references import normalization as reference

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


WIDE = {0: (6, 12), 1: (6, 4, 12), 2: (6, 12, 4, 3)}


def wide(factory, dims, **keys):
    """The module with random scale and shift, its input, and those as arrays."""
    torch.manual_seed(dims)
    module = factory(12, spatial_dims=dims, **keys).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    x = torch.randn(WIDE[dims], dtype=torch.float64) * 3 + 2
    return module, x, [parameter.detach().numpy() for parameter in module.parameters()]


def features_second(x):
    """Positions of a sequence are examples of their own."""
    return x.reshape(-1, x.shape[-1]) if x.ndim == 3 else x


@pytest.mark.parametrize("dims", [0, 1, 2])
@pytest.mark.parametrize("groups", [1, 3, 6])
def test_group(dims, groups):
    module, x, (scale, shift) = wide(normalization.group, dims, num_groups=groups)
    y = module(x).detach().numpy()
    expected = reference.group(features_second(x.numpy()), scale, shift, groups)
    np.testing.assert_allclose(features_second(y), expected, rtol=1e-9, atol=1e-12)
    assert y.shape == x.shape
    assert normalization.has_shift(module)


@pytest.mark.parametrize("dims", [0, 1, 2])
def test_one_group_is_layer_norm(dims):
    module, x, _ = wide(normalization.group, dims, num_groups=1)
    layer = normalization.layer(12, spatial_dims=dims).double()
    layer.load_state_dict(module.state_dict())
    torch.testing.assert_close(module(x), layer(x))


def test_a_group_of_each_channel_is_instance_norm():
    module, x, _ = wide(normalization.group, 2, num_groups=12)
    instance = normalization.instance(12, spatial_dims=2).double()
    instance.load_state_dict(module.state_dict())
    torch.testing.assert_close(module(x), instance(x))


def test_instance():
    module, x, (scale, shift) = wide(normalization.instance, 2)
    expected = reference.instance(x.numpy(), scale, shift)
    for mode in (True, False):  # no running average
        np.testing.assert_allclose(module.train(mode)(x).detach().numpy(), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dims", [0, 1, 2])
def test_rms(dims):
    module, x, (scale,) = wide(normalization.rms, dims)
    expected = reference.rms(features_second(x.numpy()), scale)
    np.testing.assert_allclose(features_second(module(x).detach().numpy()), expected, rtol=1e-9, atol=1e-12)
    assert not normalization.has_shift(module)


@pytest.mark.parametrize("dims", [0, 1, 2])
def test_rms_of_centred_values_is_layer_norm_and_ignores_their_scale(dims):
    module = normalization.rms(12, spatial_dims=dims).double()
    layer = normalization.layer(12, spatial_dims=dims).double()
    x = torch.randn(WIDE[dims], dtype=torch.float64)
    x = x - x.mean((1, 2, 3) if dims == 2 else -1, keepdim=True)
    torch.testing.assert_close(module(x), layer(x), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(module(1000 * x), module(x), rtol=1e-4, atol=1e-4)
    assert not module(torch.zeros_like(x)).any()


@pytest.mark.parametrize("name", [name for name in options("normalization") if name not in ("none", "batch")])
@pytest.mark.parametrize("dims", [0, 1, 2])
def test_no_example_sees_another_and_gradients_are_right(name, dims):
    factory = option("normalization", name, *(["normalization.num_groups=3"] if name == "group" else []))
    if name == "instance" and dims != 2:
        with pytest.raises(ConfigError, match="normalization=layer"):
            factory(12, spatial_dims=dims)
        return
    module = factory(12, spatial_dims=dims).double()
    x = torch.randn(WIDE[dims], dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(module(x[2:3]), module(x)[2:3])
    if dims == 1:  # nor a position the others
        torch.testing.assert_close(module(x[:, 2]), module(x)[:, 2])
    assert torch.autograd.gradcheck(module, x[:2].detach().requires_grad_(), fast_mode=True)


def test_groups_that_do_not_divide_or_hold_one_value_are_refused_in_words():
    with pytest.raises(ConfigError, match=r"normalization\.num_groups=8 does not divide a layer of 12 features: use"):
        normalization.group(12)
    for dims in (0, 1):
        with pytest.raises(ConfigError, match=r"num_groups=8 leaves one of 8 features to a group, which has no"):
            normalization.group(8, spatial_dims=dims)
    assert normalization.group(8, spatial_dims=2)(torch.randn(1, 8, 2, 2)).any()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("count", [1, 3])
def test_channels_of_one_pixel_are_refused_in_words(training, count):
    pixel = torch.ones(count, 8, 1, 1)
    with pytest.raises(ConfigError, match=r"normalization=instance has no statistics in one pixel .* data\.size"):
        normalization.instance(8, spatial_dims=2).train(training)(pixel)
    with pytest.raises(ConfigError, match=r"normalization=group has no statistics in one pixel"):
        normalization.group(8, spatial_dims=2).train(training)(pixel)
    assert normalization.group(8, spatial_dims=2, num_groups=4).train(training)(pixel).shape == pixel.shape

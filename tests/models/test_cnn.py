"""CNN against loops over pixels, from the image to the hidden layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from assay.errors import ConfigError
from assay.layers import normalization
from assay.models.cnn import CNN
from tests.references.convolution import convolve, pool


def make(shape=(2, 6, 5), channels=(3, 4), kernel_size=3, pooling="max", norm=normalization.none, convolutions=1):
    return CNN(shape, list(channels), convolutions, kernel_size, pooling, 7, nn.ReLU, norm, 0.0)


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(("pooling", "reduce"), [("max", np.max), ("average", np.mean)])
def test_against_loops(kernel_size, pooling, reduce):
    model = make(kernel_size=kernel_size, pooling=pooling).double()
    x = torch.randn(2, 2, 6, 5, dtype=torch.float64)
    last = model(x).last.detach().numpy()
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    linear = model.hidden[1]
    for image, ours in zip(x.numpy(), last, strict=True):
        for conv in convolutions:
            image = pool(np.maximum(convolve(image, *(p.detach().numpy() for p in conv.parameters())), 0), reduce)
        expected = np.maximum(linear.weight.detach().numpy() @ image.ravel() + linear.bias.detach().numpy(), 0)
        np.testing.assert_allclose(ours, expected, atol=1e-12)


def test_convolutions_of_a_block():
    """Several stand before the pooling: the same function as blocks of one each with the pooling left out between."""
    model = make(convolutions=2).double()
    x = torch.randn(1, 2, 6, 5, dtype=torch.float64)
    image = x[0].numpy()
    for number, conv in enumerate(m for m in model.modules() if isinstance(m, nn.Conv2d)):
        image = np.maximum(convolve(image, *(p.detach().numpy() for p in conv.parameters())), 0)
        image = pool(image, np.max) if number % 2 else image
    linear = model.hidden[1]
    expected = np.maximum(linear.weight.detach().numpy() @ image.ravel() + linear.bias.detach().numpy(), 0)
    np.testing.assert_allclose(model(x).last[0].detach().numpy(), expected, atol=1e-12)


def test_pooling_stops_at_one_pixel():
    model = make(shape=(1, 8, 3), channels=(2, 2, 2, 2))
    assert [type(m).__name__ for m in model.modules() if isinstance(m, nn.MaxPool2d)] == ["MaxPool2d"]
    assert model.hidden[1].in_features == 2 * 4 * 1
    assert model(torch.randn(3, 1, 8, 3)).last.shape == (3, 7)


@pytest.mark.parametrize(
    ("norm", "bias"), [(normalization.none, True), (normalization.batch, False), (normalization.layer, False)]
)
def test_no_bias_before_a_shift(norm, bias):
    convolutions = [m for m in make(norm=norm).modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 2
    assert all((conv.bias is not None) == bias for conv in convolutions)


def test_refusals():
    with pytest.raises(ConfigError, match=r"model\.pool=median is not one of max, average"):
        make(pooling="median")
    with pytest.raises(ConfigError, match="needs images of one size"):
        make(shape=(1, None, 8))

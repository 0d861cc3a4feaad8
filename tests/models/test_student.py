"""Student against loops over pixels, channel by channel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from assay.errors import ConfigError
from assay.layers import normalization
from assay.models.student import Student
from tests.references.image_nets import separable


def make(shape=(2, 6, 5), channels=(3, 5, 4), width_mult=1.0, norm=normalization.batch, depth_multiplier=1) -> Student:
    return Student(shape, list(channels), depth_multiplier, width_mult, nn.ReLU6, norm, 0.0)


@pytest.mark.parametrize("multiplier", [1, 3])
def test_against_loops(multiplier):
    model = make(depth_multiplier=multiplier).double().eval()
    blocks = []
    for block in model.blocks:
        depthwise, norm, _, pointwise, *_ = block
        for tensor in (norm.running_mean, norm.weight, norm.bias):
            nn.init.normal_(tensor, 0, 3)  # far enough for ReLU6 to cut on both sides
        nn.init.uniform_(norm.running_var, 0.5, 2)
        tensors = (norm.running_mean, norm.running_var, norm.weight, norm.bias)
        numbers = tuple(t.detach().numpy() for t in tensors)
        blocks.append((depthwise.weight.detach().numpy(), numbers, pointwise.weight.detach().numpy()))
    x = 3 * torch.randn(2, 2, 6, 5, dtype=torch.float64)
    for image, ours in zip(x.numpy(), model(x).last.detach().numpy(), strict=True):
        np.testing.assert_allclose(ours, separable(np.repeat(image, multiplier, 0), blocks), atol=1e-10)


@pytest.mark.parametrize(("width_mult", "maps"), [(1.0, [16, 32]), (0.5, [8, 16]), (0.3, [5, 10]), (0.001, [1, 1])])
def test_the_width_multiplier(width_mult, maps):
    model = make(channels=(16, 32), width_mult=width_mult)
    assert [block[3].out_channels for block in model.blocks] == maps
    assert model.output_size == maps[-1]
    weights = 2 * 9 + 2 * maps[0] + maps[0] * 9 + maps[0] * maps[1]
    assert sum(p.numel() for p in model.parameters()) == weights + 2 * (2 + maps[0])


def test_it_pools_while_there_is_more_than_one_pixel():
    model = make((1, 4, 9), (2, 2, 2, 2))
    assert [isinstance(block[-1], nn.MaxPool2d) for block in model.blocks] == [True, True, False, False]


def test_no_bias_before_a_shift_only():
    assert make().blocks[0][0].bias is None
    assert make(norm=normalization.none).blocks[0][0].bias is not None


def test_refusals():
    with pytest.raises(ConfigError, match=r"model\.channels=\[\] leaves no block"):
        make(channels=())
    with pytest.raises(ConfigError, match=r"model=student needs images of one size: use data\.size="):
        make((1, None, 8))

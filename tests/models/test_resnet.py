"""ResNet against loops over pixels, and the published sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from assay.errors import ConfigError
from assay.layers import normalization
from assay.models.resnet import ResNet
from tests.references.image_nets import residual_net


def make(depth=8, width=2, residual=True, shortcut="pad", shape=(2, 6, 5), norm=normalization.batch) -> ResNet:
    return ResNet(shape, depth, width, residual, shortcut, nn.ReLU, norm, 0.0)


def arrays(model: nn.Module) -> list:
    """(convolution, normalisation) of each convolution, in order."""
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    return [
        (
            (conv.weight.detach().numpy(), None),
            tuple(t.detach().numpy() for t in (norm.running_mean, norm.running_var, norm.weight, norm.bias)),
        )
        for conv, norm in zip(convolutions, norms, strict=True)
    ]


@pytest.mark.parametrize("depth", [8, 14])
@pytest.mark.parametrize(("residual", "shortcut"), [(True, "pad"), (True, "projection"), (False, "pad")])
def test_against_loops(depth, residual, shortcut):
    model = make(depth, residual=residual, shortcut=shortcut).double().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.weight, module.bias):
                nn.init.normal_(tensor)
            nn.init.uniform_(module.running_var, 0.5, 2)
    x = torch.randn(2, 2, 6, 5, dtype=torch.float64)
    projections = {
        i: arrays(block.shortcut)[0]
        for i, block in enumerate(model.blocks)
        if isinstance(block.shortcut, nn.Sequential)
    }
    assert len(projections) == (2 if shortcut == "projection" else 0)
    (first,), blocks = arrays(model.first), [arrays(block.body) for block in model.blocks]
    for image, ours in zip(x.numpy(), model(x).last.detach().numpy(), strict=True):
        expected = residual_net(image, first, blocks, residual, projections)
        np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("depth", "parameters"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)])
def test_parameters_are_those_of_the_paper(depth, parameters):
    """Table 6, in millions, with the head for ten classes."""
    model = make(depth, 16, shape=(3, 32, 32))
    counted = sum(p.numel() for p in model.parameters()) + 64 * 10 + 10
    assert abs(counted / 1e6 - parameters) < 0.06 * parameters
    layers = sum(isinstance(m, nn.Conv2d) for m in model.modules()) + 1
    assert layers == depth
    plain = make(depth, 16, residual=False, shape=(3, 32, 32))
    assert sum(p.numel() for p in plain.parameters()) == sum(p.numel() for p in model.parameters())


def test_weights_start_as_in_the_paper():
    layer = make(width=64, shape=(3, 8, 8)).blocks[0].body[0]
    assert abs(layer.weight.std().item() / (2 / (64 * 9)) ** 0.5 - 1) < 0.05


def test_images_of_any_size():
    model = make(shape=(1, None, None)).eval()
    assert model(torch.randn(2, 1, 1, 1)).last.shape == model(torch.randn(2, 1, 9, 4)).last.shape == (2, 8)


def test_no_bias_before_a_shift_only():
    for norm, bias in ((normalization.batch, False), (normalization.none, True)):
        model = make(norm=norm)
        assert {m.bias is not None for m in model.modules() if isinstance(m, nn.Conv2d)} == {bias}


def test_refusals():
    for depth in (2, 9, 21):
        with pytest.raises(ConfigError, match=rf"model\.depth={depth} is not 6n \+ 2: write 8, 14, 20"):
            make(depth)
    with pytest.raises(ConfigError, match=r"model\.shortcut=A is not one of pad, projection"):
        make(shortcut="A")
    with pytest.raises(ConfigError, match=r"model\.residual=false has no shortcuts: leave out model\.shortcut"):
        make(residual=False, shortcut="projection")
    with pytest.raises(ConfigError, match="one number of channels"):
        make(shape=(None, 8, 8))

"""VGG16 against loops over pixels, and the published number of parameters."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from assay.errors import ConfigError
from assay.layers import normalization
from assay.models.vgg16 import VGG16
from tests.references.image_nets import vgg


def make(shape=(2, 6, 5), width=1, hidden_size=4, norm=normalization.none) -> VGG16:
    return VGG16(shape, width, hidden_size, nn.ReLU, norm, 0.0)


@pytest.mark.parametrize("shape", [(2, 6, 5), (1, 8, 8)])
def test_against_loops(shape):
    torch.manual_seed(0)
    model = make(shape).double()
    for parameter in model.parameters():
        if parameter.dim() == 1:
            nn.init.uniform_(parameter, 0, 0.5)  # so that ReLU leaves something
    x = torch.rand(2, *shape, dtype=torch.float64)

    def arrays(kind):
        return [tuple(p.detach().numpy() for p in m.parameters()) for m in model.modules() if isinstance(m, kind)]

    last = model(x).last.detach().numpy()
    assert last.any()
    for image, ours in zip(x.numpy(), last, strict=True):
        np.testing.assert_allclose(ours, vgg(image, arrays(nn.Conv2d), arrays(nn.Linear)), atol=1e-10)


def test_parameters_are_those_of_the_paper():
    """138 million with the head of ImageNet's 1000 classes: 138,357,544, as every published copy counts."""
    with torch.device("meta"):
        model = make((3, 224, 224), 64, 4096)
    assert sum(p.numel() for p in model.parameters()) + 4096 * 1000 + 1000 == 138_357_544


@pytest.mark.parametrize(
    ("side", "pools", "left"), [(224, 5, 7), (64, 5, 2), (32, 5, 1), (28, 4, 1), (8, 3, 1), (1, 0, 1)]
)
def test_it_pools_while_there_is_more_than_one_pixel(side, pools, left):
    model = make((1, side, side))
    assert sum(isinstance(m, nn.MaxPool2d) for m in model.modules()) == pools
    assert model.hidden[1].in_features == 8 * left * left


def test_images_of_varying_size_are_refused():
    with pytest.raises(ConfigError, match=r"model=vgg16 needs images of one size: use data\.size="):
        make((1, None, 8))

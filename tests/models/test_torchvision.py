"""torchvision's networks: the same features and preprocessing as theirs, without their draws and their classifier."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from assay.errors import ConfigError
from assay.layers.random import Dropout, KeyedStreams, name_layers
from assay.models.torchvision import StochasticDepth, TorchVision

torchvision = pytest.importorskip("torchvision")
models = torchvision.models


def made(name, size=None, channels=3):
    torch.manual_seed(0)
    return TorchVision((channels, None, None), name, size)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "densenet121", "vgg11"])
def test_features_are_what_their_classifier_reads(name):
    ours = made(name, 64).eval()
    theirs = models.get_model(name, weights=None).eval()
    missing = theirs.load_state_dict(ours.network.state_dict(), strict=False)
    last = [module for module in theirs.modules() if isinstance(module, nn.Linear)][-1]
    assert len(missing.missing_keys) == 2  # the classifier's
    assert not missing.unexpected_keys
    seen = []
    last.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    x = torch.rand(2, 3, 64, 70)
    with torch.no_grad():
        theirs(ours.prepared(x))
        assert torch.equal(ours(x).last, seen[0])
    assert ours.output_size == last.in_features


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "efficientnet_b1", "swin_t"])
@pytest.mark.parametrize("shape", [(3, 300, 240), (3, 40, 64), (1, 28, 28)])
def test_images_are_prepared_as_their_weights_want_them(name, shape):
    ours = made(name, channels=shape[0])
    x = torch.rand(2, *shape, generator=torch.Generator().manual_seed(1))
    expected = models.get_model_weights(name).DEFAULT.transforms()(x.expand(-1, 3, -1, -1))
    torch.testing.assert_close(ours.prepared(x), expected, rtol=0, atol=2e-6)


def test_other_channels_are_averaged_to_grey():
    ours, x = made("resnet18", 32, channels=5), torch.rand(2, 5, 40, 40)
    torch.testing.assert_close(ours.prepared(x), ours.prepared(x.mean(1, keepdim=True)))


def test_what_drew_from_the_global_generator_draws_from_streams():
    net = made("efficientnet_b0", 32)
    name_layers(net)
    foreign = [m for m in net.modules() if type(m).__name__ in ("Dropout", "StochasticDepth")]
    assert foreign
    assert all(isinstance(m, Dropout | StochasticDepth) for m in foreign)
    x, streams = torch.rand(4, 3, 32, 32), KeyedStreams(3)
    before = torch.get_rng_state()
    outs = []
    for step in (0, 0, 1):
        with streams.at(step), torch.no_grad():
            outs.append(net.train()(x).last)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(outs[0], outs[2])


def test_stochastic_depth_keeps_the_mean_and_whole_examples():
    layer = StochasticDepth(0.25, "row")
    with KeyedStreams(0).at(0):
        y = layer.train()(torch.ones(4000, 2, 3))
    assert y.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert torch.equal(y.amin((1, 2)), y.amax((1, 2)))
    assert y.mean().item() == pytest.approx(1, abs=0.03)
    assert torch.equal(layer.eval()(y), y)


@pytest.mark.parametrize(
    ("name", "size", "channels", "said"),
    [
        ("resnet19", None, 3, "model.name=resnet19 is no classifier of torchvision.models: did you mean resnet1"),
        ("squeezenet1_0", None, 3, "ends in no linear classifier"),
        ("vit_b_32", 100, 3, "cannot read model.size=100: leave model.size out"),
        ("resnet18", None, None, "needs images of one number of channels"),
    ],
)
def test_what_cannot_be_is_refused_in_words(name, size, channels, said):
    with pytest.raises(ConfigError, match=said):
        made(name, size, channels)

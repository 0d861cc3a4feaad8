"""The bound against a loop over rows, after a step, of the head or of what is named; nothing waits for the device."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from assay.errors import ConfigError
from assay.optim.max_norm import MaxNorm
from tests.engines.test_step import SPEC, examples, network
from tests.optim.test_clip import Unread
from tests.references.max_norm import max_norm


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv1d(3, 4, 2), nn.Linear(5, 6))
        self.head = nn.Linear(6, 2)


@pytest.mark.parametrize("scale", [0.01, 1.0, 20.0])
@pytest.mark.parametrize("weights", [["head"], ["head", "encoder"], ["encoder.0"]])
def test_against_a_loop(scale, weights):
    torch.manual_seed(0)
    net = Net().double()
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(scale)
    before = {name: p.detach().numpy().copy() for name, p in net.named_parameters()}
    made = MaxNorm(net, 0.7, weights)
    made()
    assert all(name.rpartition(".")[0].startswith(tuple(weights)) for name in made.names)
    for name, p in net.named_parameters():
        expected = max_norm(before[name], 0.7) if name in made.names else before[name]
        np.testing.assert_allclose(p.detach().numpy(), expected, rtol=1e-12)
        if scale == 0.01:
            assert (p.detach().numpy() == before[name]).all()  # a short row keeps its bits
    assert {name for name in before if name.endswith("bias")}.isdisjoint(made.names)


def test_a_row_of_zeros_stays():
    net = Net()
    nn.init.zeros_(net.head.weight)
    MaxNorm(net, 3.0, ["head"])()
    assert not net.head.weight.any()


def test_it_comes_after_the_optimisers_step_and_before_the_average():
    from assay.data.loaders import MemoryLoader
    from assay.engines.step import Step
    from assay.layers.random import KeyedStreams
    from assay.losses.cross_entropy import CrossEntropy
    from assay.optim.ema import ExponentialAverage
    from assay.tasks.classification import Classification

    def trained(bound):
        task = Classification(SPEC, CrossEntropy())
        net = network(task, 0)
        optimizer = torch.optim.SGD(net.parameters(), lr=3.0)
        constraint = None if bound is None else MaxNorm(net, bound, ["head"])
        average = ExponentialAverage(net, 0.0)  # the weights of the last step
        step = Step(task, net, optimizer, streams=KeyedStreams(0), constraint=constraint, average=average)
        batch = next(iter(MemoryLoader(examples(), 40, accumulate=None)))
        step([batch], 0, 0)
        return net, average

    free, _ = trained(None)
    bound, average = trained(0.5)
    assert free.head.weight.norm(dim=1).max() > 0.6
    expected = max_norm(free.head.weight.detach().numpy(), 0.5)
    np.testing.assert_allclose(bound.head.weight.detach().numpy(), expected, rtol=1e-12)
    assert torch.equal(bound.head.bias, free.head.bias)
    assert torch.equal(average.state()["average.head.weight"], bound.head.weight.detach())


def test_what_cannot_be_bounded_is_refused():
    net = Net()
    with pytest.raises(ConfigError, match=r"constraint\.weights names haed, which this network does not have"):
        MaxNorm(net, 3.0, ["haed"])
    with pytest.raises(ConfigError, match=r"constraint\.weights names head\.bias, which has no rows"):
        MaxNorm(net, 3.0, ["head.bias"])
    with pytest.raises(ConfigError, match=r"constraint\.value=0 is no length above 0"):
        MaxNorm(net, 0.0, ["head"])
    net.head.requires_grad_(False)
    with pytest.raises(ConfigError, match="no rows of weights that train"):
        MaxNorm(net, 3.0, ["head"])


def test_nothing_is_read_back_from_the_device():
    made = MaxNorm(Net(), 0.1, ["head", "encoder"])
    with Unread():
        made()


def test_filters_that_lie_channels_last_are_bounded_too():
    """Flattened they would be a copy."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 2)).to(memory_format=torch.channels_last)
    before = net[0].weight.detach().numpy().copy()
    MaxNorm(net, 0.2, ["0"])()
    np.testing.assert_allclose(net[0].weight.detach().numpy(), max_norm(before, 0.2), rtol=1e-5)
    assert (net[0].weight.detach().numpy() != before).all()

"""The exponential average against a loop; swapped in and out bit for bit; saved and loaded."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from assay.contracts import Scope, Stateful
from assay.optim.ema import ExponentialAverage
from tests.references.optimizers import exponential_average


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).double()


def flat(net):
    return [v for p in net.parameters() for v in p.flatten().tolist()]


def move(net, steps, average=None):
    for _ in range(steps):
        with torch.no_grad():
            for p in net.parameters():
                p.add_(torch.randn_like(p))
        net(torch.randn(4, 3, dtype=torch.float64))  # moves running statistics
        if average is not None:
            average.update()


def averaged(net, average):
    with average.applied():
        return flat(net)


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.99])
def test_against_a_loop(decay):
    net = network()
    average = ExponentialAverage(net, decay)
    start, seen, ours = flat(net), [], []
    for _ in range(30):
        move(net, 1, average)
        seen.append(flat(net))
        ours.append(averaged(net, average))
    for mine, expected in zip(ours, exponential_average(start, seen, decay), strict=True):
        assert mine == pytest.approx(expected, rel=1e-10)


def test_the_networks_own_weights_come_back_bit_for_bit():
    net = network()
    average = ExponentialAverage(net, 0.9)
    move(net, 5, average)
    own = copy.deepcopy(net.state_dict())
    tensors = [p.data_ptr() for p in net.parameters()]

    def use():
        with average.applied():
            assert not torch.equal(net[0].weight, own["0.weight"])
            assert torch.equal(net[1].running_mean, own["1.running_mean"])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use()
    assert all(torch.equal(value, own[key]) for key, value in net.state_dict().items())
    assert [p.data_ptr() for p in net.parameters()] == tensors


def test_it_goes_on_where_it_stopped():
    net = network()
    average = ExponentialAverage(net, 0.9)
    move(net, 5, average)
    assert isinstance(average, Stateful)
    assert average.scope is Scope.STEP
    state = {key: value.clone() for key, value in average.state().items()}
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    other = copy.deepcopy(net)
    second = ExponentialAverage(other, 0.9)
    second.load_state(state)
    for pair in ((net, average), (other, second)):
        torch.manual_seed(1)
        move(pair[0], 5, pair[1])
    assert averaged(net, average) == averaged(other, second)


def test_a_shared_weight_is_averaged_once():
    net = nn.ModuleList([nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)])
    net[1].weight = net[0].weight
    average = ExponentialAverage(net, 0.5)
    assert sorted(average.state()) == ["average.0.weight", "updates"]
    with torch.no_grad():
        net[0].weight.add_(1)
    before = net[0].weight.detach().clone()
    average.update()  # decay 1/10 at first
    with average.applied():
        torch.testing.assert_close(net[1].weight, before - 0.1)

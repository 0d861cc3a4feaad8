"""The even average against a mean of its members and torch's own; batch-norm statistics; swapped and resumed."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, update_bn

from assay.contracts import Scope, Stateful
from assay.layers.random import Dropout
from assay.optim.swa import StochasticWeightAverage
from tests.options import option
from tests.references.optimizers import stochastic_average


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)).double()


class Reading(nn.Module):
    """A network of batches, as a task's."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, batch):
        return self.body(batch["source"])


def examples(sizes=(8, 8, 3)):
    generator = torch.Generator().manual_seed(3)
    sources = [torch.randn(size, 3, generator=generator, dtype=torch.float64) for size in sizes]
    return [{"source": x, "index": torch.arange(len(x))} for x in sources]


def averaging(net, *, start=0.5, every="epoch", total=20, epoch=4, batches=examples, few=100):
    return StochasticWeightAverage(net, start, every, few, total, epoch, batches)


def flat(net):
    return [v for p in net.parameters() for v in p.flatten().tolist()]


def move(net, steps, *averages):
    for _ in range(steps):
        with torch.no_grad():
            for p in net.parameters():
                p.add_(torch.randn_like(p))
        net(examples()[0])  # moves running statistics
        for average in averages:
            average.update()


@pytest.mark.parametrize(
    ("start", "every", "first", "period", "stride"),
    [(0.5, "epoch", 10, 4, 1), (0.75, 1, 15, 1, 1), (0.0, 3, 1, 1, 3), (0.5, 4, 10, 1, 4), (0.99, "epoch", 19, 4, 1)],
)
def test_against_a_mean_of_its_members(start, every, first, period, stride):
    net = Reading(network())
    average = averaging(net, start=start, every=every)
    seen, ours = [], []
    for _ in range(20):
        move(net, 1, average)
        seen.append(flat(net))
        with average.applied():
            ours.append(flat(net))
    expected = stochastic_average(seen, first, period, stride)
    assert expected[-1] is not None
    for own, mine, mean in zip(seen, ours, expected, strict=True):
        assert mine == (own if mean is None else pytest.approx(mean, rel=1e-12))


def test_against_torchs_average_and_its_statistics():
    net = Reading(network())
    average, theirs = averaging(net, start=0.0, every=1), AveragedModel(net)
    for _ in range(6):
        move(net, 1, average)
        theirs.update_parameters(net)
    update_bn([batch for batch in examples() if len(batch["index"])], _Batches(theirs))
    with average.applied():
        for (name, mine), other in zip(net.state_dict().items(), theirs.module.state_dict().values(), strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-14, msg=name)


class _Batches(nn.Module):
    """torch's update_bn takes the first of a tuple; ours are mappings."""

    def __init__(self, averaged):
        super().__init__()
        self.averaged = averaged

    def forward(self, batch):
        return self.averaged(batch)


def test_statistics_are_of_as_many_examples_as_asked_for_and_without_dropout():
    net = Reading(nn.Sequential(Dropout(0.5), nn.BatchNorm1d(3)).double())
    average = averaging(net, start=0.0, every=1, few=9)
    average.update()
    with average.applied():
        mean, count = net.body[1].running_mean.clone(), int(net.body[1].num_batches_tracked)
    assert count == 2  # 8 examples are too few, and the second batch is taken whole
    expected = torch.stack([batch["source"].mean(0) for batch in examples()[:2]]).mean(0)
    torch.testing.assert_close(mean, expected)


def test_statistics_are_worked_out_once_for_each_mean():
    passes = []

    def batches():
        passes.append(1)
        return iter(examples())

    net = Reading(network())
    average = averaging(net, start=0.0, every=1, batches=batches)
    for expected in (1, 2):
        move(net, 1, average)
        for _ in range(3):
            with average.applied():
                pass
        assert len(passes) == expected


def test_frozen_statistics_stay():
    net = Reading(network())
    net.body[1].frozen = True
    average = averaging(net, start=0.0, every=1)
    move(net, 2, average)
    before = net.body[1].running_mean.clone()
    with average.applied():
        assert torch.equal(net.body[1].running_mean, before)


def test_the_networks_own_weights_and_statistics_come_back_bit_for_bit():
    net = Reading(network())
    average = averaging(net, start=0.0, every=1)
    move(net, 5, average)
    net.train()
    own = copy.deepcopy(net.state_dict())
    tensors = [p.data_ptr() for p in net.parameters()]

    def use():
        with average.applied():
            assert not torch.equal(net.body[1].running_mean, own["body.1.running_mean"])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use()
    assert all(torch.equal(value, own[key]) for key, value in net.state_dict().items())
    assert [p.data_ptr() for p in net.parameters()] == tensors
    assert all(module.training for module in net.modules())
    assert net.body[1].momentum == 0.1


@pytest.mark.parametrize("before", [3, 11, 14])
def test_it_goes_on_where_it_stopped(before):
    net = Reading(network())
    average = averaging(net, every=3)
    torch.manual_seed(5)
    move(net, before, average)
    assert isinstance(average, Stateful)
    assert average.scope is Scope.STEP
    state = {key: value.clone() for key, value in average.state().items()}
    other = copy.deepcopy(net)
    second = averaging(other, every=3)
    second.load_state(state)
    ends = []
    for one, mean in ((net, average), (other, second)):
        torch.manual_seed(1)
        move(one, 20 - before, mean)
        with mean.applied():
            ends.append([value.clone() for value in one.state_dict().values()])
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


def test_a_longer_run_puts_off_a_beginning_and_keeps_one():
    for steps, members in ((5, 0), (12, 4)):
        net = Reading(network())
        average = averaging(net, every=1)  # from step 10
        move(net, steps, average)
        longer = averaging(net, every=1, total=100)  # from step 50
        longer.load_state(average.state())
        move(net, 1, longer)
        assert longer.members == members


def test_the_option():
    make = option("ema", "swa")
    assert make.func is StochasticWeightAverage
    assert make.keywords == {"start": 0.75, "every": "epoch", "examples": 10000}

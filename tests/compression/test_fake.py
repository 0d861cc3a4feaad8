"""Training with rounded numbers."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from assay.compression.fake import Clock, Fake, RunningInput, straight_through
from assay.compression.grids import weight_grid
from assay.compression.quantize import QuantizationAware
from assay.layers.random import KeyedStreams
from tests.references import quantization as reference

X = torch.randn(16, 6, generator=torch.Generator().manual_seed(0))


def at(step):
    return KeyedStreams(0).at(step)


def test_the_value_is_the_rounded_one_and_the_gradient_the_exact_ones():
    x = torch.tensor([0.3, -1.7], requires_grad=True)
    y = straight_through(x, x.detach().round())
    assert y.tolist() == [0.0, -2.0]
    (y * torch.tensor([2.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [2.0, 3.0]


def test_running_ranges_are_the_loops():
    layer = RunningInput(0.9, Clock(0, 100))
    layer.train()
    batches = [X * (k + 1) for k in range(5)]
    expected = list(reference.running([(float(b.min()), float(b.max())) for b in batches], 0.9))
    for step, batch in enumerate(batches):
        with at(step):
            out = layer(batch)
        low, high = expected[step]
        assert layer.range.tolist() == pytest.approx([low, high], rel=1e-5)
        torch.testing.assert_close(out, layer.grid.round(batch), rtol=0, atol=0)
    torch.testing.assert_close(
        out, torch.from_numpy(reference.rounded(batches[-1].numpy(), low, high)), rtol=1e-4, atol=1e-4
    )


def test_ranges_stand_still_outside_of_training_and_once_frozen():
    layer = RunningInput(0.5, Clock(0, 2))
    assert torch.equal(layer(X), X)  # nothing was read yet
    layer.train()
    with at(0):
        layer(X)
    held = layer.range.clone()
    layer(X * 9)  # no step
    layer.eval()
    with at(1):
        layer(X * 9)
    assert torch.equal(layer.range, held)
    layer.train()
    layer.clock.step = 2
    with at(2):
        layer(X * 9)
    assert torch.equal(layer.range, held)


def test_gradients_of_inputs_stop_where_the_range_ends():
    layer = RunningInput(0.0, Clock(0, 1))
    layer.train()
    with at(0):
        layer(torch.tensor([-1.0, 1.0]))
    layer.clock.step = 1
    x = torch.tensor([-5.0, -0.5, 0.5, 5.0], requires_grad=True)
    with at(1):
        layer(x).sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 0.0]


def test_torchs_moving_average_observer_computes_the_same():
    ao = pytest.importorskip("torch.ao.quantization")
    theirs = ao.FakeQuantize(
        ao.MovingAverageMinMaxObserver, quant_min=0, quant_max=255, dtype=torch.quint8, averaging_constant=0.1
    )
    ours = RunningInput(0.9, Clock(0, 100))
    ours.train()
    for step in range(6):
        x = X * (1 + step / 3)
        with at(step):
            torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-5)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.LSTM(6, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, x):
        return self.head(self.rnn(x.unsqueeze(1))[0][:, -1])


@pytest.mark.parametrize("make", [Recurrent, lambda: nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))])
def test_gradients_are_those_at_the_rounded_weights_and_reach_the_exact_ones(make):
    torch.manual_seed(0)
    network = make()
    rounded = copy.deepcopy(network)
    with torch.no_grad():
        for weight in rounded.parameters():
            if weight.dim() > 1:
                weight.copy_(weight_grid(weight, 0).round(weight))
    own = [weight.detach().clone() for weight in network.parameters()]
    fake = Fake(network, weight_grid, Clock(0, 1), None)
    with at(0):
        out = network(X)
    assert torch.equal(out, rounded(X))
    out.square().sum().backward()
    rounded(X).square().sum().backward()
    for weight, before, other in zip(network.parameters(), own, rounded.parameters(), strict=True):
        assert isinstance(weight, nn.Parameter)
        assert torch.equal(weight, before)
        torch.testing.assert_close(weight.grad, other.grad)
    assert torch.equal(copy.deepcopy(network)(X), rounded(X))
    fake.remove(network)
    assert not torch.equal(network(X), rounded(X))


def test_weights_come_back_when_the_network_fails():
    network = nn.Sequential(nn.Linear(6, 4))
    own = network[0].weight
    Fake(network, weight_grid, Clock(0, 1), None)
    with pytest.raises(RuntimeError):
        network(torch.zeros(2, 5))
    assert network[0].weight is own


@pytest.mark.parametrize("bits", [8, 4])
def test_the_converted_network_computes_what_was_validated(bits):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 3))
    optimizer = torch.optim.Adam(network.parameters(), 0.05)
    aware = QuantizationAware(bits, 8, True, 0.9, 0.25, 0.75)
    aware.begin(network, 20, "32-true")
    losses = []
    for step in range(20):
        network.train()
        optimizer.zero_grad()
        with at(step):
            loss = (network(X) - X[:, :3]).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    network.eval()
    validated = network(X)
    aware.release(network)
    exact = network(X)
    found = aware(network, tuple)
    assert torch.equal(network(X), validated)
    assert not torch.equal(exact, validated)
    assert set(found.inputs) == {"0", "2"}
    assert (found.kind, found.mode) == (f"int{bits}", "static")
    assert losses[-1] < losses[0] / 2


def test_nothing_is_rounded_before_its_time():
    network = nn.Sequential(nn.Linear(6, 4))
    plain = copy.deepcopy(network)
    QuantizationAware(8, 8, True, 0.9, 0.5, 1.0).begin(network, 10, "32-true")
    for step, same in ((4, True), (5, False)):
        with at(step):
            assert torch.equal(network(X), plain(X)) == same

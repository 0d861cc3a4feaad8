"""Hidden tensors by name."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from assay.contracts import Encoded, Output
from assay.errors import ConfigError
from assay.layers.features import capture, observed, shapes


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.recurrent = nn.LSTM(4, 5, batch_first=True)

    def forward(self, x):
        states, _ = self.recurrent(self.first(x))
        return Encoded(states, states[:, -1])


def test_outputs_are_recorded_while_open_and_only_those_asked_for():
    network = nn.ModuleDict({"encoder": Encoder()})
    encoder, x = network["encoder"], torch.randn(2, 6, 3)
    with capture(network, ["encoder", "encoder.first", "encoder.recurrent"]) as features:
        encoded = encoder(x)
        assert torch.equal(features["encoder"], encoded.last)
        assert torch.equal(features["encoder.first"], encoder.first(x))
        assert torch.equal(features["encoder.recurrent"], encoded.states)
    assert set(features) == {"encoder", "encoder.first", "encoder.recurrent"}
    before = features["encoder"]
    encoder(x + 1)
    assert features["encoder"] is before
    assert not encoder.first._forward_hooks


def test_gradients_flow_through_what_was_recorded():
    network = Encoder()
    with capture(network, ["first"]) as features:
        network(torch.randn(2, 6, 3))
    features["first"].sum().backward()
    assert network.first.weight.grad is not None


def test_hooks_are_removed_after_an_error():
    network = Encoder()
    with pytest.raises(ZeroDivisionError), capture(network, ["first"]):
        raise ZeroDivisionError
    assert not network.first._forward_hooks


def test_an_unknown_name_is_refused_with_the_nearest():
    network = nn.ModuleDict({"encoder": Encoder(), "head": nn.Linear(1, 1)})
    with (
        pytest.raises(ConfigError, match=r"features=encoder\.frist names no layer .* the nearest are encoder\.first, "),
        capture(network, ["encoder.frist"]),
    ):
        pass


class Answering(nn.Module):
    """A network as tasks call it."""

    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.norm = nn.BatchNorm1d(5)

    def forward(self, batch):
        return Output(self.norm(self.encoder(batch["source"]).last))


def test_what_nobody_asked_for_is_not_recorded():
    network, batch = Answering(), {"source": torch.randn(2, 6, 3)}
    output = observed(network, batch, ())
    assert output.features == {}
    asked = observed(network, batch, ("encoder", "norm"))
    assert torch.equal(asked.features["norm"], asked.logits)
    assert torch.equal(asked.logits, output.logits)
    assert set(asked.features) == {"encoder", "norm"}
    assert not any(module._forward_hooks for module in network.modules())


def test_shapes_are_of_what_layers_give_and_leave_the_network_as_it_is():
    network, batch = Answering(), {"source": torch.randn(2, 6, 3)}
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = shapes(network, batch)
    assert found == {
        "encoder.first": (2, 6, 4),
        "encoder.recurrent": (2, 6, 5),
        "encoder": (2, 5),
        "norm": (2, 5),
    }
    assert list(found) == ["encoder.first", "encoder.recurrent", "encoder", "norm"]  # parts come first
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())

"""Dead and saturated units against counting them one by one, padding left out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from assay.callbacks.dead_units import DeadUnits
from assay.callbacks.diagnostic import Moment
from assay.callbacks.saturated_units import SaturatedUnits
from assay.callbacks.units import visit
from assay.errors import ConfigError
from tests.callbacks.sights import dense, texts
from tests.options import option
from tests.references.diagnostics import dead_share, lstm_gates

START = Moment.START


def encoder(model, shape, *overrides):
    torch.manual_seed(4)
    return option("model", model, *overrides)(input_size=shape)


def test_dead_units_of_a_net_are_counted():
    sight = dense(encoder("mlp", (3,), "model.hidden_sizes=[16,16]"), (3,), moment=START)
    linears = [m for m in sight.network.encoder.modules() if isinstance(m, nn.Linear)]
    with torch.no_grad():
        linears[0].bias[:5] = -100.0  # dead for sure
        linears[1].bias -= 0.3  # some
    found = DeadUnits(1000).measured(sight)
    x = sight.sample("val", 1000, sight.network)["source"].numpy()
    shares = []
    for linear in linears:
        x = np.maximum(x @ linear.weight.detach().numpy().T + linear.bias.detach().numpy(), 0)
        shares.append(dead_share(x))
    assert list(found.values()) == pytest.approx(shares)
    assert shares[0] >= 5 / 16
    assert 0 < shares[1] < 1


def test_a_channel_is_dead_where_every_pixel_is():
    sight = dense(encoder("cnn", (1, 6, 6), "model.channels=[4]", "model.hidden_size=3"), (1, 6, 6), moment=START)
    convolution = next(m for m in sight.network.modules() if isinstance(m, nn.Conv2d))
    with torch.no_grad():
        convolution.weight.zero_()
        convolution.weight[1, 0, 1, 1] = 1.0  # shows the pixel: awake somewhere
        convolution.bias.copy_(torch.tensor([-1.0, -0.5, 0.0, 1.0]))  # dead, awake, dead (0 is not awake), awake
    first = next(iter(DeadUnits(50).measured(sight).values()))
    assert first == 0.5


def test_positions_that_are_padded_or_outside_the_sentence_wake_no_unit():
    """A unit that only padding would wake is dead: transformer by position, textcnn by window."""
    transformer = encoder(
        "transformer", (None, 4), "model.size=4", "model.num_heads=2", "model.num_layers=1", "model.positions=learned",
        "model.feedforward_size=3",
    )  # fmt: skip
    textcnn = encoder("textcnn", (None, 4), "model.widths=[2,3]", "model.maps=3")
    for network, lengths in ((transformer, [6, 2, 3]), (textcnn, [6, 1, 3])):
        sight = texts(network, 4, lengths, moment=START)
        batch = sight.sample("val", 9, sight.network.eval())
        rows = []
        visit(sight.network, batch, lambda layer, rows=rows: rows.append(layer))
        alone = []
        for i, length in enumerate(lengths):  # each by itself, without padding
            single = {name: value[i : i + 1] for name, value in batch.items()}
            single["source"] = single["source"][:, :length]
            visit(sight.network, single, alone.append)
        for k, layer in enumerate(rows):
            together = torch.cat([one.values for one in alone[k :: len(rows)]])
            torch.testing.assert_close(layer.values, together, rtol=1e-9, atol=1e-9)


def test_gates_of_an_lstm_are_the_loops():
    sight = dense(encoder("lstm", (6, 3), "model.hidden_size=8"), (6, 3), moment=START)
    kernel = sight.network.encoder.ahead[0].kernel
    with torch.no_grad():
        for parameter in kernel.parameters():
            parameter.mul_(6)
    found = SaturatedUnits(1000, 0.9).measured(sight)
    w, u, b, d = (p.detach().numpy() for p in kernel.parameters())
    expected = lstm_gates(w, u, b + d, sight.sample("val", 1000, sight.network)["source"].numpy(), 0.9)
    assert len(found) == 8
    for gate, shares in expected.items():
        for end, share in zip(("low", "high"), shares, strict=True):
            assert found[f"saturated_units/encoder.ahead.0.{gate}/{end}"] == pytest.approx(share)
            assert share > 0.01


@pytest.mark.parametrize(("name", "low", "high"), [("sigmoid", 0.2, 0.8), ("tanh", -0.8, 0.8)])
def test_modules_are_counted_by_their_range(name, low, high):
    sight = dense(encoder("mlp", (3,), f"activation={name}", "model.hidden_sizes=[6]"), (3,), moment=START)
    linear = next(m for m in sight.network.encoder.modules() if isinstance(m, nn.Linear))
    with torch.no_grad():
        linear.weight.mul_(8)
    x = sight.sample("val", 1000, sight.network)["source"].numpy()
    a = x @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()
    y = np.tanh(a) if name == "tanh" else 1 / (1 + np.exp(-a))
    found = list(SaturatedUnits(1000, 0.8).measured(sight).values())
    assert found == pytest.approx([(y < low).mean(), (y > high).mean()])
    assert min(found) > 0


def test_gru_and_relu_net_show_their_units():
    gru = dense(encoder("gru", (6, 3), "model.hidden_size=3", "model.reset=before"), (6, 3), moment=START)
    names = {name.split("/")[1].rsplit(".", 1)[1] for name in SaturatedUnits(9, 0.9).measured(gru)}
    assert names == {"reset", "keep", "candidate"}
    irnn = dense(encoder("rnn", (6, 3), "model.nonlinearity=relu", "model.hidden_size=3"), (6, 3), moment=START)
    assert list(DeadUnits(9).measured(irnn)) == ["dead_units/encoder.ahead.0.state"]


def test_a_module_that_is_called_twice_is_two_layers():
    class Twice(nn.Module):
        output_size = 3

        def __init__(self):
            super().__init__()
            self.linear, self.f = nn.Linear(3, 3), nn.ReLU()

        def forward(self, x, mask=None, state=None):
            from assay.contracts import Encoded

            return Encoded(None, self.f(self.linear(self.f(x))))

    assert list(DeadUnits(9).measured(dense(Twice(), (3,), moment=START))) == [
        "dead_units/encoder.f",
        "dead_units/encoder.f#2",
    ]


def test_a_network_without_such_units_is_refused():
    sight = dense(encoder("linear", (3,)), (3,), moment=START)
    with pytest.raises(ConfigError, match="finds no rectifier"):
        DeadUnits(9).measured(sight)
    with pytest.raises(ConfigError, match="finds no logistic unit"):
        SaturatedUnits(9, 0.9).measured(sight)


def test_the_end_is_the_last_validation():
    sight = dense(encoder("mlp", (3,), "activation=tanh"), (3,))
    assert SaturatedUnits(9, 0.9).measured(sight) == {}
    assert DeadUnits(9).measured(sight) == {}

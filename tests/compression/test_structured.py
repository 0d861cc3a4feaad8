"""Units go by the norm of what makes them, against loops over arrays; and by what the loss would notice, against its
second look: the loss with the unit scaled by a little less than one."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from assay.compression.groups import groups_of
from assay.compression.structured import Structured, _noticed
from assay.errors import ConfigError
from tests.compression.test_narrow import given, network
from tests.models.encoders import Case
from tests.references import pruning


def found(net, criterion, scope="layer", ratio=0.5):
    return Structured(ratio, scope, 1, criterion, 1).kept(groups_of(net), net.state_dict(), [])


@pytest.mark.parametrize("order", [1, 2])
def test_filters_of_a_convolution_against_a_loop(order):
    net = network(Case("cnn", "image", ("model.channels=[6,8]", "model.hidden_size=5", "normalization=batch")))
    arrays = {
        "encoder.blocks.0": net.encoder.blocks[0].weight,
        "encoder.blocks.4": net.encoder.blocks[4].weight,
        "encoder.hidden.1": net.encoder.hidden[1].weight,
    }
    norms = {name: pruning.norms(array.detach().numpy(), order) for name, array in arrays.items()}
    assert found(net, f"l{order}") == pruning.kept(norms, 0.5, 1, False)
    relative = {name: [n / np.mean(values) for n in values] for name, values in norms.items()}
    assert found(net, f"l{order}", "global") == pruning.kept(relative, 0.5, 1, True)


@pytest.mark.parametrize("model", ["lstm", "gru", "rnn"])
def test_recurrent_units_by_the_rows_of_all_their_gates(model):
    hidden = 6
    net = network(Case(model, "sequence", (f"model.hidden_size={hidden}", "model.bidirectional=true")))
    for way in ("ahead", "back"):
        kernel = getattr(net.encoder, way)[0].kernel
        weights = [w.detach().numpy() for w in (kernel.weight_ih_l0, kernel.weight_hh_l0)]
        gates = [w.reshape(-1, hidden, w.shape[1]) for w in weights]  # (gates, units, what they read)
        rows = [np.concatenate([w[:, unit].ravel() for w in gates]) for unit in range(hidden)]
        name = f"encoder.{way}.0"
        assert found(net, "l1")[name] == pruning.kept({name: pruning.norms(rows, 1)}, 0.5, 1, False)[name]


def test_heads_by_their_queries_keys_and_values():
    net = network(Case("transformer", "sequence", ("model.num_layers=1", "model.size=8", "model.num_heads=4")))
    weight = net.encoder.blocks[0].attention.weight.detach().numpy().reshape(3, 4, 2, 8)
    norms = {"h": pruning.norms([weight[:, head] for head in range(4)], 2)}
    assert found(net, "l2")["encoder.blocks.0.attention"] == pruning.kept(norms, 0.5, 1, False)["h"]


@pytest.mark.parametrize(
    ("case", "group"),
    [
        (Case("mlp", "vector", ("model.hidden_sizes=[6,5]", "normalization=batch")), "encoder.layers.0"),
        (Case("lstm", "sequence", ("model.hidden_size=5", "model.num_layers=2")), "encoder.ahead.0"),
        (Case("transformer", "sequence", ()), "encoder.blocks.1.attention"),
        (Case("resnet", "image", ("model.width=3",)), "encoder.first.0"),
    ],
    ids=str,
)
def test_the_slope_at_a_gate_is_that_of_the_loss(case, group):
    net = network(case).eval()
    (one,) = [made for made in groups_of(net) if made.name == group]
    label = torch.arange(len(given(case)["source"][0])) % 3

    def loss(model):
        return F.cross_entropy(model(given(case)).logits, label)

    names, weights = zip(*net.named_parameters(), strict=True)
    gradient = dict(zip(names, torch.autograd.grad(loss(net), weights), strict=True))
    state = net.state_dict()
    scores = _noticed(one, state, [gradient, {n: 2 * g for n, g in gradient.items()}])
    for unit in range(one.size):
        values = []
        for z in (1 - 1e-6, 1 + 1e-6):
            scaled = copy.deepcopy(net)
            with torch.no_grad():
                for reader in one.consumers:
                    places = torch.tensor(reader.entries(unit, one.size))
                    own = scaled.state_dict()[reader.name]
                    own.index_copy_(reader.dim, places, z * own.index_select(reader.dim, places))
                values.append(float(loss(scaled)))
        slope = (values[1] - values[0]) / 2e-6
        assert float(scores[unit]) == pytest.approx((slope**2 + 4 * slope**2) / 2, rel=1e-3, abs=1e-12)


def test_another_criterion_is_refused():
    with pytest.raises(ConfigError, match=r"^compression.criterion=l3 is not one of l1, l2, taylor$"):
        Structured(0.5, "layer", 1, "l3", 1)

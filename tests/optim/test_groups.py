"""Rates of parts and frozen parts: against a loop of numbers, and against what may not move."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from assay.errors import ConfigError
from assay.layers.random import Dropout
from assay.optim.groups import factors, freeze, layers, matches, parameter_groups
from tests.options import encoders, node, option, options
from tests.references import optimizers as reference


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.inner = nn.Linear(4, 4)

    def forward(self, x):
        return x + self.inner(self.norm(x))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.position = nn.Parameter(torch.ones(1, 4))
        self.blocks = nn.ModuleList([Block(), Block()])
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x):
        x = x + self.position
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Sequential(nn.LayerNorm(3), nn.Linear(3, 4), nn.Tanh(), Dropout(0.0))
        self.encoder = Encoder()
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.encoder(self.stem(x)))


DEPTHS = {  # steps from the head
    "stem.0.weight": 4, "stem.0.bias": 4, "stem.1.weight": 4, "stem.1.bias": 4, "encoder.position": 3,
    **{f"encoder.blocks.{i}.{name}": 2 - i for i in (0, 1) for name in
       ("norm.weight", "norm.bias", "inner.weight", "inner.bias")},
    "encoder.norm.weight": 1, "encoder.norm.bias": 1, "head.weight": 0, "head.bias": 0,
}  # fmt: skip


def test_layers_are_blocks_and_a_normalisation_goes_with_the_matrix_before_it():
    found = layers(Network())
    assert {name: len(found) - 1 - i for i, names in enumerate(found) for name in names} == DEPTHS


def test_decay_is_a_power_of_the_depth():
    assert factors(Network(), 0.5, []) == {name: 0.5**depth for name, depth in DEPTHS.items()}


def test_a_shared_weight_is_in_its_first_layer():
    tied = nn.ModuleDict({"first": nn.Linear(2, 2, bias=False), "second": nn.Linear(2, 2), "last": nn.Linear(2, 2)})
    tied["second"].weight = tied["first"].weight
    assert layers(tied) == [["first.weight", "second.bias"], ["last.weight", "last.bias"]]


@pytest.mark.parametrize("model", encoders())
def test_every_model_has_layers_that_hold_each_weight_once_and_end_with_the_head(model):
    from tests.models.test_networks import cases, network

    case = next(case for case in cases() if case.model == model)
    built = network(case)
    found = layers(built)
    named = [name for name, _ in built.named_parameters()]
    assert sorted(name for names in found for name in names) == sorted(named)
    assert found[-1][0].startswith("head")
    assert factors(built, 1.0, []) == dict.fromkeys(named, 1.0)


def test_names_are_prefixes_of_whole_words_or_patterns():
    assert matches("encoder", "encoder.blocks.1.inner.weight")
    assert matches("encoder.blocks.1", "encoder.blocks.1.inner.weight")
    assert not matches("encoder.blocks.1", "encoder.blocks.10.inner.weight")
    assert matches("encoder.*.1", "encoder.blocks.1.inner.weight")
    assert matches("*.norm", "encoder.blocks.1.norm.bias")
    assert not matches("enc", "encoder.norm.weight")


def test_named_factors_multiply_the_decay_and_the_last_named_counts():
    found = factors(Network(), 0.5, ["encoder:0.1", "encoder.blocks.1:3", "*.bias:2"])
    assert found["encoder.position"] == 0.1 * 0.5**3
    assert found["encoder.blocks.1.inner.weight"] == 3 * 0.5
    assert found["encoder.blocks.1.inner.bias"] == 2 * 0.5
    assert found["head.weight"] == 1


@pytest.mark.parametrize("one", ["stem", "stem:", ":3", "stem:0", "stem:-1", "stem:inf", "stem:nan", "stem:x"])
def test_what_is_no_factor_is_refused(one):
    with pytest.raises(ConfigError, match=r"^optim.groups=.* is not NAME:FACTOR with a factor above 0"):
        factors(Network(), 1.0, [one])


def test_what_is_nobodys_name_is_refused_with_the_possible_ones():
    with pytest.raises(ConfigError, match=r"^optim.groups names steam, .* did you mean stem\? it has stem, encoder, h"):
        factors(Network(), 1.0, ["steam:0.1"])
    with pytest.raises(ConfigError, match=r"^freeze names encoder.blocks.7, which this network does not have"):
        freeze(Network(), ["encoder.blocks.7"], "frozen")


@pytest.mark.parametrize(("name", "lr"), [("sgd", 0.03), ("adam", 0.03), ("momentum", 0.03), ("rmsprop", 0.003)])
def test_each_part_moves_as_alone_with_its_own_rate(name, lr):
    """Two parts, one at a tenth of the rate, against two loops of numbers."""
    curvature = {"slow": [1.0, 3.0], "quick": [0.5, 2.0]}
    net = nn.Module()
    for part in curvature:
        net.register_module(part, nn.Module())
        getattr(net, part).weight = nn.Parameter(torch.tensor([[1.0, -2.0]], dtype=torch.float64))
    groups = parameter_groups(net, nn.Module(), lr, factors(net, 1.0, ["slow:0.1"]))
    assert [group["lr"] for group in groups] == pytest.approx([lr, lr / 10])
    optimizer = option("optim", name, f"optim.lr={lr}")(groups)
    for _ in range(9):
        optimizer.zero_grad()
        losses = [(torch.tensor(k) * getattr(net, part).weight.square() / 2).sum() for part, k in curvature.items()]
        torch.stack(losses).sum().backward()
        optimizer.step()
    keys = ("betas", "eps", "momentum", "alpha")
    own = {key: value for key, value in node("optim", name).items() if key in keys}
    for part, rate in (("slow", lr / 10), ("quick", lr)):
        gradient = lambda w, part=part: [k * v for k, v in zip(curvature[part], w, strict=True)]  # noqa: E731
        expected = getattr(reference, name)([1.0, -2.0], gradient, lr=rate, steps=9, **own)
        assert getattr(net, part).weight.flatten().tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", [name for name in options("optim") if name not in ("lbfgs", "none")])
def test_every_optimiser_steps_groups_as_it_steps_each_alone(name):
    ends = []
    for split in (True, False):
        torch.manual_seed(1)
        weights = [torch.randn(3, requires_grad=True) for _ in range(2)]
        one = option("optim", name)
        made = [one([{"params": [w], "lr": one.keywords["lr"] * f} for w, f in zip(weights, (1, 0.5), strict=True)])]
        if not split:
            made = [option("optim", name)([w]) for w in weights]
            made[1].param_groups[0]["lr"] *= 0.5
        for _ in range(4):
            for w in weights:
                w.grad = w.detach().clone()
            for optimizer in made:
                optimizer.step()
        ends.append(weights)
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


def test_one_rate_is_one_plain_list_and_the_log_shows_the_heads():
    net, objective = Network(), nn.Linear(1, 1)
    plain = parameter_groups(net, objective, 0.1, factors(net, 1.0, []))
    assert [id(p) for p in plain] == [id(p) for p in (*net.parameters(), *objective.parameters())]
    groups = parameter_groups(net, objective, 0.1, factors(net, 0.5, ["stem:100"]))
    assert groups[0]["lr"] == 0.1
    assert {id(p) for p in objective.parameters()} <= {id(p) for p in groups[0]["params"]}
    assert sorted(group["lr"] for group in groups) == pytest.approx([0.1 / 8, 0.1 / 4, 0.1 / 2, 0.1, 100 * 0.1 / 16])


def trained(net, steps=3):
    optimizer = torch.optim.SGD(parameter_groups(net, nn.Module(), 0.1, factors(net, 0.9, [])), lr=0.1)
    generator = torch.Generator().manual_seed(2)
    net.train()
    for _ in range(steps):
        optimizer.zero_grad()
        net(torch.randn(8, 3, generator=generator)).square().sum().backward()
        optimizer.step()
    return optimizer


@pytest.mark.parametrize("batch_norm", ["frozen", "trainable"])
def test_what_is_frozen_keeps_every_bit_and_the_rest_moves(batch_norm):
    net, start = Network(), Network().state_dict()
    freeze(net, ["stem", "encoder"], batch_norm)
    optimizer = trained(net)
    moved = {name for name, value in net.state_dict().items() if not torch.equal(value, start[name])}
    head, norm = {"head.weight", "head.bias"}, {f"encoder.norm.{n}" for n in ("weight", "bias")}
    statistics = {f"encoder.norm.{n}" for n in ("running_mean", "running_var", "num_batches_tracked")}
    assert moved == (head if batch_norm == "frozen" else head | norm | statistics)
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in net.parameters() if p.requires_grad}


def test_a_frozen_normalisation_computes_as_in_evaluation_while_training():
    net = Network()
    freeze(net, ["encoder.norm"], "frozen")
    x = torch.randn(5, 3)
    assert torch.equal(net.train()(x), net.eval()(x))


def test_a_normalisation_outside_what_is_frozen_moves():
    net = Network()
    freeze(net, ["stem", "encoder.blocks.*"], "frozen")
    trained(net)
    assert int(net.encoder.norm.num_batches_tracked) == 3


def test_nothing_left_to_train_is_refused():
    with pytest.raises(ConfigError, match=r"^freeze=\[\*\] leaves nothing to train"):
        freeze(Network(), ["*"], "frozen")

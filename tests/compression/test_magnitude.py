"""Masks against loops: the cubic, which weights, what a step leaves, averages, and what a checkpoint holds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from assay.compression.magnitude import Magnitude, sparsity
from assay.compression.spans import check
from assay.errors import ConfigError
from assay.optim.ema import ExponentialAverage
from assay.optim.swa import StochasticWeightAverage
from tests.references import pruning


def net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.Conv1d(8, 4, 3), nn.Linear(5, 2))


def made(network, **changed):
    words = {
        "sparsity": 0.75,
        "initial": 0.0,
        "begin": 0.0,
        "end": 0.5,
        "every": 2,
        "scope": "layer",
        "total_steps": 20,
    }
    return Magnitude(network, **{**words, **changed})


def test_the_schedule_against_the_papers_equation():
    for k in range(6):
        assert sparsity(10 + 4 * k, 10, 30, 0.2, 0.9) == pytest.approx(pruning.cubic(10 + 4 * k, 10, 5, 4, 0.2, 0.9))
    assert sparsity(10, 10, 30, 0.2, 0.9) == pytest.approx(0.2)
    assert sparsity(31, 10, 30, 0.2, 0.9) == sparsity(5, 5, 5, 0.0, 0.9) == 0.9


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_a_run_against_a_loop(scope):
    """Steps that move every weight; masks taken anew at steps 4, 7, 10, …, 13 of 20."""
    network, generator = net(), torch.Generator().manual_seed(1)
    masks = made(network, scope=scope, begin=0.2, end=0.65, every=3, initial=0.1)
    names = [name for name, p in network.named_parameters() if p.dim() > 1]
    assert names == ["0.weight", "2.weight", "3.weight"]
    held = {name: np.zeros(dict(network.named_parameters())[name].shape, bool) for name in names}
    for taken in range(1, 21):
        with torch.no_grad():
            for p in network.parameters():
                p.add_(0.1 * torch.randn(p.shape, generator=generator))
        weights = {name: p.detach().numpy().copy() for name, p in network.named_parameters()}
        masks(taken)
        if taken in (4, 7, 10, 13):
            share = pruning.cubic(taken, 4, 3, 3, 0.1, 0.75)
            ranked = {name: np.where(held[name], 0, weights[name]) for name in names}  # a masked weight is zero
            if scope == "layer":
                held = {name: pruning.held(ranked[name], share) for name in names}
            else:
                every = np.concatenate([ranked[name].ravel() for name in names])
                flat = np.split(pruning.held(every, share), np.cumsum([ranked[name].size for name in names])[:-1])
                held = {name: one.reshape(ranked[name].shape) for name, one in zip(names, flat, strict=True)}
        for name, p in network.named_parameters():
            expected = np.where(held[name], 0, weights[name]) if name in held else weights[name]
            assert (p.detach().numpy() == expected).all(), (taken, name)
    zero, total = masks.zeros()
    assert total == 48 + 96 + 10
    assert zero == (36 + 72 + 7 if scope == "layer" else int(0.75 * 154))
    assert masks.settled == 13


def test_with_momentum_a_masked_weight_stays_zero():
    network = net()
    masks = made(network, begin=0.0, end=0.1, every=1)
    optimizer = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9)
    for taken in range(1, 15):
        optimizer.zero_grad()
        sum((p**2).sum() + p.sum() for p in network.parameters()).backward()
        optimizer.step()
        masks(taken)
        if taken >= masks.settled:
            assert [int((p == 0).sum()) for p in masks.weights.values()] == [36, 72, 7]
    assert all(p.all() for name, p in network.named_parameters() if name not in masks.weights)  # biases, scales: free


@pytest.mark.parametrize("kind", ["exponential", "swa"])
def test_what_an_average_holds_is_masked_too(kind):
    network = net()
    masks = made(network, begin=0.3, end=0.5, every=1)
    average = (
        ExponentialAverage(network, 0.9)
        if kind == "exponential"
        else StochasticWeightAverage(network, 0.1, 1, 1, 20, 5, lambda: iter(()))
    )
    generator = torch.Generator().manual_seed(2)
    for taken in range(1, 21):
        with torch.no_grad():
            for p in network.parameters():
                p.add_(0.1 * torch.randn(p.shape, generator=generator))
        masks(taken, average)
        average.update()
    with average.applied():
        for name, p in masks.weights.items():
            assert not p[masks.held[name]].any()
            assert p[~masks.held[name]].all()


def test_state_goes_on_bit_for_bit_and_a_longer_run_frees_nothing():
    network = net()
    masks = made(network)
    for taken in range(1, 8):
        masks(taken)
    again = made(net(), total_steps=40)
    again.load_state({name: value.clone() for name, value in masks.state().items()})
    assert all(torch.equal(again.state()[name], value) for name, value in masks.state().items())
    before = again.zeros()[0]
    again(2)  # of the longer run's schedule, which asks for fewer
    assert again.zeros()[0] == before > 0


def test_what_cannot_be_is_refused():
    network = net().requires_grad_(False)
    with pytest.raises(ConfigError, match=r"^compression=magnitude masks weights that train, and freeze leaves none"):
        made(network)
    network[0].requires_grad_(True)
    assert list(made(network).weights) == ["0.weight"]
    whole = {"begin": 0.5, "end": 0.6, "initial": 0.1, "sparsity": 0.5}
    assert check(whole) == set()
    with pytest.raises(ConfigError, match=r"^compression.begin=0.5 is after compression.end=0.4: shares of the run"):
        check({**whole, "end": 0.4})
    with pytest.raises(ConfigError, match=r"^compression.initial=0.1 is more than compression.sparsity=0.05"):
        check({**whole, "sparsity": 0.05})

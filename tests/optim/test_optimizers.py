"""Every optimiser of conf/ descends and reloads; SGD and Adam follow the papers number by number."""

from __future__ import annotations

import pytest
import torch

from assay.state import load_optimizer_state, optimizer_state
from tests.options import node, option, options
from tests.references import optimizers as reference

START = [1.0, -2.0, 0.5]
CURVATURE = [1.0, 3.0, 0.2]


def gradient(weights):
    """Of Σ k w² / 2."""
    return [k * w for k, w in zip(CURVATURE, weights, strict=True)]


def run(optimizer, weights, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        (torch.tensor(CURVATURE, dtype=weights.dtype) * weights.square() / 2).sum().backward()
        optimizer.step()


def fresh(dtype=torch.float64):
    return torch.tensor(START, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_sgd(weight_decay):
    weights = fresh()
    run(option("optim", "sgd", f"optim.weight_decay={weight_decay}")([weights]), weights, 20)
    expected = reference.sgd(START, gradient, node("optim", "sgd")["lr"], 20, weight_decay)
    assert weights.tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_adam(weight_decay):
    weights = fresh()
    run(option("optim", "adam", f"optim.weight_decay={weight_decay}")([weights]), weights, 20)
    settings = node("optim", "adam")
    expected = reference.adam(START, gradient, settings["lr"], settings["betas"], settings["eps"], 20, weight_decay)
    assert weights.tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", options("optim"))
def test_every_optimiser_descends(name):
    weights = fresh(torch.float32)
    optimizer = option("optim", name)([weights])
    before = sum(k * w * w for k, w in zip(CURVATURE, START, strict=True))
    run(optimizer, weights, 200)
    after = sum(k * w * w for k, w in zip(CURVATURE, weights.tolist(), strict=True))
    assert after < 0.6 * before


@pytest.mark.parametrize("name", options("optim"))
def test_every_optimiser_goes_on_where_it_stopped(name):
    whole = fresh()
    run(option("optim", name)([whole]), whole, 8)
    half = fresh()
    first = option("optim", name)([half])
    run(first, half, 3)
    state = {key: value.clone() for key, value in optimizer_state(first).items()}
    rest = half.detach().clone().requires_grad_()
    second = option("optim", name)([rest])
    load_optimizer_state(second, state)
    run(second, rest, 5)
    assert torch.equal(rest, whole)

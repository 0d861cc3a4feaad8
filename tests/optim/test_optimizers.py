"""Every optimiser of conf/ descends and reloads; each follows its paper number by number."""

from __future__ import annotations

import pytest
import torch

from assay.state import load_optimizer_state, optimizer_state
from tests.options import node, option, options
from tests.references import optimizers as reference

STEPPING = [name for name in options("optim") if name != "none"]  # which takes no steps

START = [1.0, -2.0, 0.5]
CURVATURE = [1.0, 3.0, 0.2]


def gradient(weights):
    """Of Σ k w² / 2."""
    return [k * w for k, w in zip(CURVATURE, weights, strict=True)]


def run(optimizer, weights, steps):
    def loss():
        optimizer.zero_grad()
        total = (torch.tensor(CURVATURE, dtype=weights.dtype) * weights.square() / 2).sum()
        total.backward()
        return total.detach()

    for _ in range(steps):
        optimizer.step(loss)


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


SHAPES = [(), (3,), (2, 3), (2, 1, 2)]


def shaped(dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(shape, generator=generator, dtype=dtype).requires_grad_() for shape in SHAPES]


def curved(weights):
    """The gradient of Σ_i (1 + i / 3) (w_i⁴ / 4 + w_i² / 2) over the numbers of all parameters."""
    return [(1 + i / 3) * (w**3 + w) for i, w in enumerate(weights)]


def numbers(parameters):
    return [w for p in parameters for w in p.flatten().tolist()]


def set_gradients(parameters):
    values = curved(numbers(parameters))
    for p in parameters:
        p.grad = torch.tensor(values[: p.numel()], dtype=p.dtype).reshape(p.shape)
        values = values[p.numel() :]


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("momentum", {"momentum": 0.9}),
        ("momentum", {"momentum": 0.5}),
        ("nag", {"momentum": 0.9}),
        ("nag", {"momentum": 0.5}),
        ("adagrad", {"eps": 0.01}),
        ("adadelta", {"rho": 0.95}),
        ("adadelta", {"rho": 0.5, "eps": 0.01}),
        ("rmsprop", {"alpha": 0.9}),
        ("rmsprop", {"alpha": 0.5, "eps": 0.01}),
        ("adamw", {"betas": [0.9, 0.999]}),
        ("adamw", {"betas": [0.5, 0.6], "eps": 0.01}),
    ],
)
def test_its_paper(name, others, weight_decay):
    """Seven steps on parameters of several shapes: against the loop of the paper, with the option's own values."""
    parameters = shaped()
    start = numbers(parameters)
    words = {**others, "lr": 0.03, "weight_decay": weight_decay}
    optimizer = option("optim", name, *(f"optim.{key}={value}" for key, value in words.items()))(parameters)
    for _ in range(7):
        set_gradients(parameters)
        optimizer.step()
    keys = {key: value for key, value in node("optim", name).items() if key in ("eps", "rho", "alpha", "betas")}
    expected = getattr(reference, name)(start, curved, steps=7, **{**keys, **words})
    assert numbers(parameters) == pytest.approx(expected, rel=1e-12)
    assert numbers(parameters) != pytest.approx(start, rel=1e-3)


def test_the_papers_values_are_the_defaults():
    assert (node("optim", "adadelta")["rho"], node("optim", "adadelta")["eps"]) == (0.95, 1e-6)
    assert node("optim", "rmsprop")["alpha"] == 0.9
    assert (node("optim", "adamw")["betas"], node("optim", "adamw")["eps"]) == ([0.9, 0.999], 1e-8)
    assert node("optim", "nag")["nesterov"] is True


@pytest.mark.parametrize("name", STEPPING)
def test_every_optimisers_weight_decay_shrinks_what_has_no_gradient_of_its_own(name):
    weight = torch.ones(4, dtype=torch.float64, requires_grad=True)
    optimizer = option("optim", name, "optim.weight_decay=0.1")([weight])
    for _ in range(5):
        weight.grad = torch.zeros_like(weight)
        optimizer.step(lambda: torch.zeros(()))
    assert float(weight.detach().abs().max()) < 1


@pytest.mark.parametrize("name", STEPPING)
def test_every_optimiser_leaves_alone_what_has_no_gradient(name):
    idle, weight = fresh(), fresh()
    optimizer = option("optim", name, "optim.weight_decay=0.1")([idle, weight])
    run(optimizer, weight, 3)
    assert idle.tolist() == START
    assert weight.tolist() != START
    state = optimizer_state(optimizer)
    again = option("optim", name)([fresh(), fresh()])
    load_optimizer_state(again, state)
    assert {key: value.tolist() for key, value in optimizer_state(again).items()} == {
        key: value.tolist() for key, value in state.items()
    }


@pytest.mark.parametrize("name", STEPPING)
def test_every_optimiser_keeps_its_moments_where_and_as_precise_as_the_weights(name):
    weights = fresh()
    optimizer = option("optim", name)([weights])
    run(optimizer, weights, 2)
    for key, value in optimizer_state(optimizer).items():
        if key.startswith("moment.") and value.shape == weights.shape:
            assert value.dtype == torch.float64
            assert value.layout is torch.strided


@pytest.mark.parametrize("name", STEPPING)
def test_every_optimiser_descends(name):
    weights = fresh(torch.float32)
    optimizer = option("optim", name)([weights])
    before = sum(k * w * w for k, w in zip(CURVATURE, START, strict=True))
    run(optimizer, weights, 200)
    after = sum(k * w * w for k, w in zip(CURVATURE, weights.tolist(), strict=True))
    assert after < 0.6 * before


@pytest.mark.parametrize("name", STEPPING)
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

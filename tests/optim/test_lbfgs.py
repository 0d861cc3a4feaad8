"""L-BFGS against the book's two loops and SciPy's minimum; its searched steps; its history in a checkpoint."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from assay.errors import ConfigError
from assay.state import load_optimizer_state, optimizer_state
from tests.options import option
from tests.references.optimizers import lbfgs

START = [1.0, -2.0, 0.5, 1.5]
CURVATURE = [1.0, 3.0, 0.2, 0.7]
ON = ("optim.tolerance_grad=0", "optim.tolerance_change=0")  # to the end
FREE = ("optim.line_search_fn=null", *ON)


def weights():
    return [torch.tensor(START[:1], dtype=torch.float64), torch.tensor(START[1:], dtype=torch.float64).reshape(3, 1)]


def fresh():
    return [p.requires_grad_() for p in weights()]


def flat(parameters):
    return [v for p in parameters for v in p.flatten().tolist()]


def quartic(parameters):
    """Σ k (w⁴ / 4 + w² / 2)."""
    w = torch.cat([p.flatten() for p in parameters])
    return (torch.tensor(CURVATURE, dtype=w.dtype) * (w**4 / 4 + w**2 / 2)).sum()


def curved(w):
    return [k * (x**3 + x) for k, x in zip(CURVATURE, w, strict=True)]


def closure(optimizer, parameters, function, seen=None):
    def evaluate():
        optimizer.zero_grad()
        loss = function(parameters)
        loss.backward()
        if seen is not None:
            seen.append(([p.detach().clone() for p in parameters], loss.item(), [p.grad.clone() for p in parameters]))
        return loss.detach()

    return evaluate


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize("history", [1, 3, 10])
@pytest.mark.parametrize(("steps", "inner"), [(8, 1), (2, 4), (1, 8)])
def test_against_the_two_loops(history, weight_decay, steps, inner):
    """Eight directions, however they are dealt out to steps."""
    parameters = fresh()
    words = (f"optim.history_size={history}", f"optim.weight_decay={weight_decay}", f"optim.max_iter={inner}")
    optimizer = option("optim", "lbfgs", "optim.lr=0.7", "optim.max_eval=99", *FREE, *words)(parameters)
    expected = lbfgs(START, curved, 8, 0.7, history, weight_decay)
    for step in range(steps):
        optimizer.step(closure(optimizer, parameters, quartic))
        assert flat(parameters) == pytest.approx(expected[(step + 1) * inner - 1], rel=1e-8, abs=1e-10)
    assert max(map(abs, flat(parameters))) < 0.5


def logistic(features, targets, decay):
    """Mean log-loss of two classes with L2 and its gradient, of weights as one flat array, in NumPy."""

    def value(w):
        z = features @ w
        loss = float(np.mean(np.logaddexp(0, z) - targets * z) + decay / 2 * w @ w)
        return loss, features.T @ (1 / (1 + np.exp(-z)) - targets) / len(z) + decay * w

    return value


def test_it_finds_the_minimum_that_scipy_finds():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(40, 4))
    targets = (features @ [1.0, -1.0, 0.5, 0.0] + generator.normal(size=40) > 0).astype(float)
    tight = {"ftol": 1e-15, "gtol": 1e-10}
    best = minimize(logistic(features, targets, 0.1), np.zeros(4), jac=True, method="L-BFGS-B", options=tight)
    x, y = torch.from_numpy(features), torch.from_numpy(targets)

    def loss(parameters):
        z = x @ parameters[0]
        return (torch.nn.functional.softplus(z) - y * z).mean()

    parameters = [torch.zeros(4, dtype=torch.float64, requires_grad=True)]
    optimizer = option("optim", "lbfgs", "optim.weight_decay=0.1", *ON)(parameters)
    for _ in range(3):
        optimizer.step(closure(optimizer, parameters, loss))
    ours = parameters[0].detach().numpy()
    assert logistic(features, targets, 0.1)(ours)[0] <= best.fun + 1e-12
    np.testing.assert_allclose(ours, best.x, atol=1e-5)


def test_a_searched_step_satisfies_the_strong_wolfe_conditions():
    """Nocedal and Wright, 3.7: with c1 = 1e-4 and c2 = 0.9, along the direction that was taken."""
    parameters = fresh()
    optimizer = option("optim", "lbfgs", "optim.max_iter=1")(parameters)
    moved = 0
    for _ in range(6):
        before, seen = flat(parameters), []
        optimizer.step(closure(optimizer, parameters, quartic, seen))
        step = np.array(flat(parameters)) - before
        first = np.array(flat(seen[0][2]))
        end = [one for one in seen if np.allclose(flat(one[0]), flat(parameters), rtol=1e-12, atol=1e-14)][-1]
        assert end[1] <= seen[0][1] + 1e-4 * first @ step
        assert abs(np.array(flat(end[2])) @ step) <= 0.9 * abs(first @ step)
        moved += bool(np.abs(step).max() > 0)
    assert moved == 6


def test_it_stops_after_as_many_gradients_as_allowed():
    parameters, seen = fresh(), []
    optimizer = option("optim", "lbfgs", "optim.max_eval=5")(parameters)
    optimizer.step(closure(optimizer, parameters, quartic, seen))
    assert 5 <= len(seen) <= 7  # a search that has begun is ended


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("search", ["strong_wolfe", "null"])
@pytest.mark.parametrize("before", [0, 1, 3])
def test_it_goes_on_where_it_stopped_bit_for_bit(search, before, dtype):
    """The history grows, and is restored at every length; with one direction a step, so that all of it counts."""
    words = (f"optim.line_search_fn={search}", "optim.max_iter=1", "optim.history_size=4", "optim.lr=0.5")

    def start():
        parameters = [p.to(dtype).requires_grad_() for p in weights()]
        return parameters, option("optim", "lbfgs", *words)(parameters)

    parameters, optimizer = start()
    for _ in range(before):
        optimizer.step(closure(optimizer, parameters, quartic))
    state = {key: value.clone() for key, value in optimizer_state(optimizer).items()}
    assert (before > 1) == ("moment.0.y" in state)
    rest, again = start()
    with torch.no_grad():
        for p, value in zip(rest, parameters, strict=True):
            p.copy_(value)
    load_optimizer_state(again, state)
    for _ in range(6):
        for one, own in ((optimizer, parameters), (again, rest)):
            one.step(closure(one, own, quartic))
        assert all(torch.equal(a, b) for a, b in zip(parameters, rest, strict=True))
    ends = [optimizer_state(one) for one in (optimizer, again)]
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])
    assert len(ends[0]["moment.0.y"]) == 4


def test_a_network_goes_on_bit_for_bit_whatever_the_alignment_of_its_history():
    """Odd numbers of weights: rows of a stacked history would begin at addresses that kernels sum differently from."""
    x, y = torch.randn(8, 8, 6, generator=torch.Generator().manual_seed(0)), torch.arange(64).reshape(8, 8) % 3

    def start():
        torch.manual_seed(1)
        net = torch.nn.Sequential(torch.nn.Linear(6, 9), torch.nn.Tanh(), torch.nn.Linear(9, 3))
        return net, option("optim", "lbfgs", "optim.max_iter=3")(net.parameters())

    def step(net, optimizer, i):
        loss = lambda _: torch.nn.functional.cross_entropy(net(x[i]), y[i])  # noqa: E731
        optimizer.step(closure(optimizer, list(net.parameters()), loss))

    (net, optimizer), (other, again) = start(), start()
    for i in range(3):
        step(net, optimizer, i)
    other.load_state_dict(net.state_dict())
    load_optimizer_state(again, {key: value.clone() for key, value in optimizer_state(optimizer).items()})
    for i in range(3, 8):
        step(net, optimizer, i)
        step(other, again, i)
        assert all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True))


def test_parts_that_no_loss_reaches_stay():
    idle, parameters = torch.ones(2, dtype=torch.float64, requires_grad=True), fresh()
    optimizer = option("optim", "lbfgs", "optim.weight_decay=0.5")([idle, *parameters])
    optimizer.step(closure(optimizer, parameters, quartic))
    assert idle.tolist() == [1, 1]


def test_several_rates_are_refused_in_words():
    first, second = fresh()
    with pytest.raises(ConfigError, match=r"^optim=lbfgs has one rate for all weights: leave out optim.layer_decay"):
        option("optim", "lbfgs")([{"params": [first]}, {"params": [second], "lr": 0.1}])

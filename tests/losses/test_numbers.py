"""Squared, absolute and Huber's error against loops; the losses of conf/ refuse to broadcast."""

from __future__ import annotations

import pytest
import torch

from assay.contracts import Output
from assay.errors import ConfigError
from assay.losses.huber import Huber
from tests.options import option
from tests.references.losses import huber

ERRORS = {"mse": lambda d: d * d, "mae": abs, "huber": lambda d: huber(d, 1.0)}


@pytest.mark.parametrize("name", sorted(ERRORS))
@pytest.mark.parametrize("weighted", [False, True])
def test_against_a_loop(name, weighted):
    z, y = torch.randn(7, requires_grad=True), torch.randn(7, dtype=torch.float64)
    batch = {"label": y} | ({"weight": torch.rand(7)} if weighted else {})
    term = option("loss", name)(Output(z), batch)[name]
    weights = batch["weight"].tolist() if weighted else [1.0] * 7
    total = sum(w * ERRORS[name](a - b) for w, a, b in zip(weights, z.tolist(), y.tolist(), strict=True))
    assert term.total.item() == pytest.approx(total, rel=1e-5)
    assert float(term.weight) == pytest.approx(sum(weights))
    assert term.total.dtype == z.dtype
    term.total.backward()
    assert z.grad.all()


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_shapes_that_would_broadcast_are_a_bug(name):
    with pytest.raises(AssertionError, match="label"):
        option("loss", name)(Output(torch.randn(7, 1)), {"label": torch.randn(7)})


@pytest.mark.parametrize("delta", [0.3, 1.0, 2.5])
def test_huber_against_a_loop_with_gradients(delta):
    z, y = torch.randn(40, dtype=torch.float64, requires_grad=True), torch.randn(40, dtype=torch.float64)
    term = Huber(delta)(Output(z), {"label": y})["huber"]
    differences = (z - y).tolist()
    assert term.total.item() == pytest.approx(sum(huber(d, delta) for d in differences))
    (gradient,) = torch.autograd.grad(term.total, z)
    assert gradient.tolist() == pytest.approx([max(-delta, min(delta, d)) for d in differences])
    assert torch.autograd.gradcheck(lambda z: Huber(delta)(Output(z), {"label": y})["huber"].total, z)


def test_huber_lies_between_its_limits():
    output, batch = Output(torch.randn(20, dtype=torch.float64)), {"label": torch.randn(20, dtype=torch.float64)}
    of = {name: option("loss", name)(output, batch)[name].total for name in ("mse", "mae")}
    torch.testing.assert_close(Huber(1e3)(output, batch)["huber"].total, of["mse"] / 2)
    torch.testing.assert_close(Huber(1e-9)(output, batch)["huber"].total / 1e-9, of["mae"])
    with pytest.raises(ConfigError, match=r"loss\.delta=0 is not positive: use loss=mae"):
        Huber(0.0)

"""Squared and absolute error against loops; the losses of conf/ refuse to broadcast."""

from __future__ import annotations

import pytest
import torch

from assay.contracts import Output
from tests.options import option

ERRORS = {"mse": lambda d: d * d, "mae": abs}


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

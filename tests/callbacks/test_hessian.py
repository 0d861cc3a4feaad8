"""The Hessian's ends against the dense matrix, and quadratics known by heart."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from assay.callbacks.diagnostic import Moment
from assay.callbacks.hessian import Hessian, spectrum
from assay.callbacks.kinds import curvature
from assay.data.examples import Dense, Examples
from assay.layers.random import KeyedStreams
from tests.callbacks.sights import dense, texts
from tests.options import option
from tests.references.diagnostics import dense_hessian


def measured(sight, **keys):
    callback = Hessian(**{"examples": 1000, "steps": 400, "tolerance": 1e-9, "every": 0, **keys})
    return callback, callback.measured(sight)


def reference(sight):
    """Every eigenvalue, of the loss written out with functional_call; attention by the formula."""
    _, network = sight.problem()
    batch = sight.sample("train", 1000, network)
    names = [name for name, _ in network.named_parameters()]

    def loss(values):
        output = functional_call(network, dict(zip(names, values, strict=True)), (batch,))
        return nn.functional.nll_loss(output.log_probs, batch["label"])

    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        return np.linalg.eigvalsh(dense_hessian(loss, [p.detach() for p in network.parameters()]))


def encoder(model, shape, *overrides):
    torch.manual_seed(1)
    return option("model", model, *overrides)(input_size=shape)


NETWORKS = {
    "mlp": lambda: dense(encoder("mlp", (5,), "activation=tanh", "model.hidden_sizes=[4]"), (5,)),
    "mlp, relu": lambda: dense(encoder("mlp", (5,), "model.hidden_sizes=[4]"), (5,)),
    "cnn": lambda: dense(encoder("cnn", (1, 6, 6), "model.channels=[2]", "model.hidden_size=3"), (1, 6, 6)),
    "lstm": lambda: dense(encoder("lstm", (4, 3), "model.hidden_size=3"), (4, 3)),
    "gru": lambda: texts(encoder("gru", (None, 3), "model.hidden_size=2"), 3, [4, 1, 3, 2]),
    "transformer": lambda: dense(
        encoder("transformer", (4, 3), "model.size=4", "model.num_heads=2", "model.num_layers=1",
                "model.feedforward_size=3"), (4, 3)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_both_ends_are_those_of_the_dense_matrix(name):
    sight = NETWORKS[name]()
    expected = reference(sight)
    callback, found = measured(sight)
    size = np.abs(expected).max()
    assert found["hessian/max"] == pytest.approx(expected[-1], abs=1e-7 * size)
    assert found["hessian/min"] == pytest.approx(expected[0], abs=1e-7 * size)
    assert callback.last["kind"] == curvature(expected[0], expected[-1], 1e-9)


@pytest.mark.parametrize(
    ("diagonal", "is_a"),
    [
        ([1, 2, 9], "minimum"),
        ([-1, -2, -9], "maximum"),
        ([-1, 2, 9], "saddle"),
        ([0, 0, 5], "minimum"),
        ([0, 0, 0], "flat"),
    ],
)
def test_quadratics(diagonal, is_a):
    w = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64, requires_grad=True)
    h = torch.tensor(diagonal, dtype=torch.float64)
    ritz, gradient = spectrum((h * w**2).sum() / 2, [w], seed=0, steps=10, tolerance=1e-9)
    assert ritz.values[0] == pytest.approx(min(diagonal), abs=1e-9)
    assert ritz.values[-1] == pytest.approx(max(diagonal), abs=1e-9)
    assert gradient == pytest.approx(float((h * w).norm().detach()))
    assert curvature(float(ritz.values[0]), float(ritz.values[-1]), 1e-6) == is_a


def test_a_loss_without_curvature_is_flat():
    w = torch.ones(4, requires_grad=True)
    ritz, gradient = spectrum(w.sum(), [w], seed=0, steps=10, tolerance=1e-3)
    assert (ritz.values.tolist(), gradient) == ([0.0], 2.0)


def test_curvature():
    assert curvature(-0.001, 1.0, 0.01) == "minimum"
    assert curvature(-0.1, 1.0, 0.01) == "saddle"
    assert curvature(-1.0, 0.001, 0.01) == "maximum"
    assert curvature(math.nan, math.nan, 0.01) == "not finite"


def test_the_condition_stands_where_every_direction_curves_up():
    """Mean squared error of a linear unit: H = 2 XᵀX / n, known without differentiating."""
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    ritz, _ = spectrum(((x @ w - 1) ** 2).mean(), [w], seed=0, steps=3, tolerance=1e-12)
    np.testing.assert_allclose(ritz.values, np.linalg.eigvalsh((2 * x.T @ x / 50).numpy()), rtol=1e-10)


def test_when_and_what_is_logged():
    sight = NETWORKS["mlp"]()
    callback, found = measured(sight)
    assert set(found) <= {"hessian/max", "hessian/min", "hessian/gradient_norm", "hessian/condition"}
    assert ("hessian/condition" in found) == (found["hessian/min"] > 1e-9 * found["hessian/max"])
    at = {moment: type(sight)(**{**vars(sight), "moment": moment}) for moment in Moment}  # of epoch 1, the second
    assert measured(at[Moment.START], every=1)[1] == {}
    assert measured(at[Moment.VALIDATION])[1] == {}
    assert measured(at[Moment.VALIDATION], every=2)[1] == found
    assert measured(at[Moment.VALIDATION], every=3)[1] == {}
    assert callback.last["examples"] == 20


def test_the_objectives_penalties_are_in_it_and_the_run_is_left_alone():
    sight = NETWORKS["mlp"]()
    plain = measured(sight)[1]

    class Ridge(nn.Module):
        """Σ w² beside the wrapped objective, of a network that it knows."""

        features = ()

        def __init__(self, objective, network):
            super().__init__()
            self.objective, self._network = objective, [network]

        def forward(self, output, batch):
            terms = self.objective(output, batch)
            total = sum((p**2).sum() for p in self._network[0].parameters())
            return {**terms, "ridge": type(terms["cross_entropy"])(total, 1.0)}

    before = {name: value.clone() for name, value in sight.network.state_dict().items()}
    sight.task.objective = Ridge(sight.task.objective, sight.network)
    sight.network.train()
    found = measured(sight)[1]
    assert found["hessian/max"] == pytest.approx(plain["hessian/max"] + 2, rel=1e-6)
    assert found["hessian/min"] == pytest.approx(plain["hessian/min"] + 2, rel=1e-6)
    assert sight.network.training
    assert all(p.grad is None for p in sight.network.parameters())
    assert all(torch.equal(before[name], value) for name, value in sight.network.state_dict().items())


def test_half_precision_is_measured_in_float32_and_inside_inference_mode():
    sight = NETWORKS["mlp"]()
    single = measured(
        type(sight)(**{**vars(sight), "network": sight.network.to(torch.bfloat16).float()}), tolerance=1e-4
    )
    sight.network.to(torch.bfloat16)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        half = measured(sight, tolerance=1e-4)
    assert half[1] == single[1]
    assert next(sight.network.parameters()).dtype == torch.bfloat16


def test_streams_are_never_drawn_from():
    """Eval mode: a network with dropout gives the same Hessian twice."""
    sight = dense(encoder("mlp", (5,), "model.hidden_sizes=[4]", "model.dropout=0.5"), (5,))
    with KeyedStreams(3).at(5):
        first = measured(sight)[1]
    assert measured(sight)[1] == first


def test_weights_of_the_training_examples_count():
    """All of the weight on one class: the Hessian of that class's examples alone."""
    sight = NETWORKS["mlp"]()
    examples = sight.data.dataset.splits["train"]
    label = examples.column("label")
    weighed = Examples({**examples.columns, "weight": Dense((label == 1).double())}, examples.index)
    found = measured(replace(sight, data=replaced(sight.data, SimpleNamespace(examples=weighed))))[1]
    few = SimpleNamespace(examples=examples.select((label == 1).nonzero().flatten()))
    alone = measured(replace(sight, data=replaced(sight.data, few)))[1]
    assert found == pytest.approx(alone, rel=1e-6)
    assert found != pytest.approx(measured(sight)[1], rel=1e-2)


def replaced(data, training):
    return SimpleNamespace(**{**vars(data), "training": training})

"""Gradient descent as it was: one step an epoch on all examples, from the command line, against a loop of NumPy."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from assay import artifacts
from assay.parts import Parts
from assay.preflight import compose
from assay.run import run

WORDS = ["model=linear", "optim=sgd", "data=digits", "data.batch_size=full", "scheduler=none", "optim.lr=0.5",
         "trainer=cpu", "trainer.precision=64-true", "trainer.max_epochs=6", "logger=none", "log_every=1"]  # fmt: skip


def descent(x, y, weight, bias, lr, steps):
    """Softmax regression in NumPy: the losses before each step, and the weights after the last."""
    losses = []
    target = np.eye(len(bias))[y]
    for _ in range(steps):
        z = x @ weight.T + bias
        z = z - z.max(1, keepdims=True)
        p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
        losses.append(-np.log(p[np.arange(len(y)), y]).mean())
        error = (p - target) / len(y)
        weight, bias = weight - lr * error.T @ x, bias - lr * error.sum(0)
    return losses, weight, bias


@pytest.mark.parametrize("pieces", [[], ["data.batch_size=479", "accumulate=3"]])
def test_full_batch_descent_is_the_loop(tmp_path, pieces):
    """The second case takes the same 1,437 examples in three micro-batches."""
    words = [word for word in WORDS if not pieces or not word.startswith("data.batch_size")] + pieces
    point = compose(words)
    parts = Parts(point.config, tmp_path, None, None)
    start = {name: value.double().numpy().copy() for name, value in parts.network.state_dict().items()}
    train = parts.dataset.splits["train"]
    x = train.column("source").double().flatten(1).numpy()
    losses, weight, bias = descent(x, train.column("label").numpy(), start["head.weight"], start["head.bias"], 0.5, 6)
    (tmp_path / "run").mkdir()
    summary = run(point.config, list(point.overrides), tmp_path / "run")
    assert summary["steps"] == 6
    with open(tmp_path / "run" / "metrics.csv", newline="") as file:
        logged = [float(row["value"]) for row in csv.DictReader(file) if row["name"] == "train/loss"]
    assert logged == pytest.approx(losses, rel=1e-6)  # pixels are float32
    assert losses[-1] < 0.8 * losses[0]
    end = artifacts.load(tmp_path / "run" / "artifact").network.state_dict()
    assert summary["best_epoch"] == 5  # the artifact holds the last weights
    np.testing.assert_allclose(end["head.weight"].numpy(), weight, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(end["head.bias"].numpy(), bias, rtol=1e-5, atol=1e-7)

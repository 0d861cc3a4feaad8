"""The range test: its smoothing against a loop, a quadratic whose best rate is known, and a run that uses the rate."""

from __future__ import annotations

import csv
import json
import math
from contextlib import suppress
from itertools import pairwise

import pytest
import torch
from torch import nn

from assay.engines.lr_finder import STEPS, Range, range_test, rates, smoothed
from assay.errors import ConfigError
from assay.parts import Parts
from assay.preflight import compose
from assay.run import run
from tests.interruptions import Interrupted, Moment, at, bits, leave, train

QUICK = ["model=mlp", "trainer=cpu", "logger=none", "trainer.max_epochs=2", "lr_finder=true"]


def test_rates_grow_by_one_factor():
    found = rates()
    assert (found[0], len(found)) == (1e-7, 100)
    assert found[-1] == pytest.approx(10)
    assert {round(b / a, 9) for a, b in pairwise(found)} == {round(10 ** (8 / 99), 9)}


def test_smoothing_is_a_weighted_mean_of_what_was_seen():
    losses = [3.0, 1.0, 4.0, 1.0, 5.0]
    for i, value in enumerate(smoothed(losses, 0.9)):
        weights = [0.9 ** (i - j) for j in range(i + 1)]
        assert value == pytest.approx(sum(w * x for w, x in zip(weights, losses, strict=False)) / sum(weights))


class Quadratic:
    """A step of gradient descent on k w² / 2, as the Step contract has it."""

    def __init__(self, k, shares=(1.0,)):
        self.k = k
        self.weights = [nn.Parameter(torch.tensor([1.0], dtype=torch.float64)) for _ in shares]
        groups = [{"params": [w], "lr": 0.1 * share} for w, share in zip(self.weights, shares, strict=True)]
        self.optimizer = torch.optim.SGD(groups, lr=0.1)
        self.calls = []

    def __call__(self, micro_batches, epoch, number):
        self.optimizer.zero_grad()
        loss = sum(self.k * (w**2).sum() / 2 for w in self.weights)
        loss.backward()
        self.calls.append((micro_batches, epoch, number, [group["lr"] for group in self.optimizer.param_groups]))
        self.optimizer.step()
        return loss.detach()


@pytest.mark.parametrize("k", [1.0, 10.0, 1000.0])
def test_on_a_quadratic_the_rate_is_below_the_one_where_descent_diverges(k):
    """Gradient descent converges for rates below 2 / k."""
    step = Quadratic(k)
    found = range_test(step, lambda epoch: iter([f"epoch {epoch}"] * 30))
    assert 0.02 / k < found.chosen() < 1 / k
    assert found.steepest < 2 / k
    assert found.lowest == pytest.approx(found.rates[found.smooth.index(min(found.smooth[10:-5]))] / 10)
    assert found.chosen() == pytest.approx(found.lowest, rel=0.05)
    seen = len(found.rates)
    assert [call[:3] for call in step.calls[:seen]] == [(f"epoch {i // 30}", i // 30, i) for i in range(seen)]
    assert [call[3] for call in step.calls[:seen]] == [[rate] for rate in found.rates]
    if k > 1:
        assert seen < STEPS
        assert found.smooth[-1] > 4 * min(found.smooth) or len(step.calls) == seen + 1


def test_groups_keep_their_share_of_the_rate():
    step = Quadratic(1.0, shares=(1.0, 0.25))
    found = range_test(step, lambda epoch: iter([None] * 100))
    assert step.calls[7][3] == pytest.approx([found.rates[7], found.rates[7] / 4])


def test_a_loss_that_falls_nowhere_is_refused():
    rising = Range(tuple(rates()), tuple(range(100)), tuple(range(100)))
    for found in (rising, Range((1e-7,), (1.0,), (1.0,)), Range((), (), ())):
        with pytest.raises(ConfigError, match="saw no rate from 1e-07 on at which the loss falls"):
            found.chosen()


def test_a_minimum_within_the_noise_of_batches_is_none():
    """A flat loss has its least somewhere, by chance: a tenth of that rate is no finding. A true fall is one."""
    refused = 0
    fall = [max(0.0, i - 60) / 40 for i in range(100)]
    for seed in range(20):
        noise = torch.randn(100, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).tolist()
        flat = [1 + 0.2 * draw for draw in noise]
        with suppress(ConfigError):
            Range(tuple(rates()), tuple(flat), tuple(smoothed(flat))).chosen()
            refused -= 1
        refused += 1
        fallen = [one - 0.9 * drop for one, drop in zip(flat, fall, strict=True)]
        assert Range(tuple(rates()), tuple(fallen), tuple(smoothed(fallen))).chosen() > 0.01
    assert refused >= 18


@pytest.mark.parametrize("words", [[], ["scheduler=none", "trainer.precision=64-true"], ["scheduler=cosine"]])
def test_it_changes_nothing_but_the_rate(tmp_path, words):
    """Network, objective and streams afterwards are those of a run that was told the same rate."""
    plain = [word for word in [*QUICK, *words] if word != "lr_finder=true"]
    (tmp_path / "found").mkdir()
    point = compose([*QUICK, *words])
    run(point.config, list(point.overrides), tmp_path / "found")
    rate = json.loads((tmp_path / "found" / "environment.json").read_text())["chosen"]["lr"]
    assert rate != point.config["optim"]["lr"]
    (tmp_path / "told").mkdir()
    told = compose([*plain, f"optim.lr={rate!r}"])
    run(told.config, list(told.overrides), tmp_path / "told")
    assert bits(tmp_path / "found", tmp_path / "told") == {}
    with open(tmp_path / "found" / "lr_finder.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [float(row["smoothed"]) for row in table] == smoothed([float(row["loss"]) for row in table])
    assert f"optim.lr={rate:g} by the range test" in (tmp_path / "found" / "log.txt").read_text()
    assert (tmp_path / "found" / "figures" / "lr_finder.png").stat().st_size > 5000


def test_a_resumed_run_keeps_the_rate_and_makes_no_test(tmp_path, monkeypatch):
    more = ["+trainer.limit_train_batches=4", "checkpoint.every=3steps", f"outputs={tmp_path / 'outputs'}"]
    point = compose([*QUICK, *more])
    train(point, tmp_path / "whole")
    with at(Moment("step", 5), leave), pytest.raises(Interrupted):
        train(point, tmp_path / "cut")

    def never(*arguments):
        raise AssertionError

    monkeypatch.setattr("assay.rate_range.range_test", never)
    train(point, tmp_path / "cut", resume=True)
    assert bits(tmp_path / "whole", tmp_path / "cut") == {}


def test_an_objective_with_a_regularisation_is_that_of_the_copy(tmp_path):
    """λ Σ|w| of the copied weights: on the run's own it would not see what the test does to them."""
    parts = Parts(compose([*QUICK, "regularization=l1", "regularization.strength=1e-3"]).config, tmp_path, None, None)
    again = Parts(
        compose([*QUICK[:-1], "regularization=l1", "regularization.strength=1e-3"]).config, tmp_path, None, None
    )
    for own, other in zip(parts.network.parameters(), again.network.parameters(), strict=True):
        assert torch.equal(own, other)
        assert own.grad is None
    assert math.isfinite(parts.chosen["lr"])
    plain = Parts(compose(QUICK).config, tmp_path, None, None)
    assert parts.found.losses != plain.found.losses

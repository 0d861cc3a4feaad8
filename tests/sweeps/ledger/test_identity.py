"""Which configs are one point."""

from __future__ import annotations

import pytest

from assay.sweeps.ledger.identity import identity, is_own

CONFIG = {
    "seed": 0,
    "name": None,
    "outputs": "outputs",
    "data_dir": "data",
    "logger": None,
    "threads": "auto",
    "plan": False,
    "checkpoint": {"every": "5min"},
    "optim": {"lr": 0.1, "betas": [0.9, 0.999]},
    "data": {"root": "data", "name": "data"},
    "switches": {"optim": "adam", "logger": "none"},
}


@pytest.mark.parametrize(
    "change",
    [
        {"name": "mine"},
        {"outputs": "elsewhere"},
        {"logger": {"_target_": "x"}, "switches": {"optim": "adam", "logger": "wandb"}},
        {"threads": 2},
        {"plan": True},
        {"checkpoint": {"every": "1epochs"}},
        {"data_dir": "/far/data", "data": {"root": "/far/data", "name": "data"}},
        {"format": 1},
    ],
)
def test_what_changes_no_result_does_not_count(change):
    assert identity(CONFIG | change) == identity(CONFIG)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"optim": {"lr": 0.2, "betas": [0.9, 0.999]}},
        {"optim": {"lr": 0.1, "betas": [0.999, 0.9]}},
        {"optim": {"lr": 0.1, "betas": [0.9, 0.999], "amsgrad": True}},
        {"switches": {"optim": "sgd", "logger": "none"}},
        {"data": {"root": "data", "name": "other"}},
        {"data": {"root": "elsewhere", "name": "data"}},
    ],
)
def test_what_may_change_a_result_does(change):
    assert identity(CONFIG | change) != identity(CONFIG)


def test_the_order_of_keys_does_not_count():
    assert identity(dict(reversed(CONFIG.items()))) == identity(CONFIG)


@pytest.mark.parametrize("text", ["sweep.jobs=2", "search=tpe", "search.trials=3", "launcher=slurm", "seeds=3"])
def test_what_is_said_to_a_sweep(text):
    assert is_own(text)
    assert is_own(f"+{text}")


@pytest.mark.parametrize("text", ["seed=1", "model=mlp", "data.folds=3", "model.search=1", "sweeper=1"])
def test_what_is_said_to_its_points(text):
    assert not is_own(text)

"""What a sweep is called, and how it and its runs are found."""

from __future__ import annotations

import json

import pytest

from assay import folder
from assay.composition.compose import composer_of
from assay.composition.points import read
from assay.errors import ConfigError
from assay.sweeps.ledger.ledger import Ledger, Planned
from assay.sweeps.ledger.place import find_sweep, name_of


def named(*typed: str) -> str:
    return name_of(read(typed, composer_of(), multirun=True))


BASE = named("model=mlp,linear", "optim=adam", "trainer.max_epochs=3")


@pytest.mark.parametrize(
    "typed",
    [
        ["trainer.max_epochs=3", "optim=adam", "model=linear,mlp,lstm"],
        ["model=mlp,linear", "optim=adam", "trainer.max_epochs=3", "seeds=5"],
        ["model=mlp,linear", "optim=adam", "trainer.max_epochs=3", "seed=3,4", "sweep.jobs=3"],
        ["model=mlp,linear", "optim=adam", "trainer.max_epochs=3", "logger=none", "outputs=x", "plan=true"],
        ["model=mlp,linear", "optim=adam", "trainer.max_epochs=3", "search=grid", "sweep.source=snapshot"],
    ],
)
def test_more_values_and_what_changes_no_result_are_the_same_sweep(typed):
    assert named(*typed) == BASE


@pytest.mark.parametrize(
    "typed",
    [
        ["model=mlp,linear", "optim=adam", "trainer.max_epochs=4"],
        ["model=mlp,linear", "optim=adam"],
        ["model=mlp,linear", "optim=adam,sgd", "trainer.max_epochs=3"],
        ["model=mlp,linear", "optim=adam", "trainer.max_epochs=3", "folds=5"],
        ["model=mlp,linear", "optim=adam", "trainer.max_epochs=3", "ablate=[clip:norm]"],
        ["model=mlp,linear", "optim=adam", "trainer.max_epochs=3", "search=random"],
    ],
)
def test_other_axes_or_fixed_values_are_another(typed):
    assert named(*typed) != BASE


def test_a_name_says_its_axes_and_can_be_a_folder():
    assert BASE.rpartition("-")[0] == "model"
    assert named("model=lstm,mlp", "lstm.model.hidden_size=4,8").rpartition("-")[0] == "model-hidden_size"
    assert named("model=mlp", "seeds=2").rpartition("-")[0] == "seeds"


@pytest.fixture
def sweep(tmp_path):
    """Four points: the second is best by validation, the third by its test score, the fourth has not begun."""
    place = tmp_path / "outputs" / "sweeps" / "mine"
    place.mkdir(parents=True)
    folder.write_json(place / "sweep.json", {"format": 1})
    ledger = Ledger(place)
    ledger.plan([Planned({"seed": seed, "switches": {}}, (), {}, seed) for seed in range(4)])
    for number, (val, test) in enumerate([(0.5, 0.5), (0.9, 0.1), (0.7, 0.99)]):
        assert ledger.claim(number, "me")
        folder.write_config(place / str(number), {"seed": number, "monitor_mode": None}, [])
        summary = {"status": "done", "monitor": "val/accuracy", "val/accuracy": val, "test/accuracy": test}
        folder.write_json(place / str(number) / "summary.json", {"format": 1, **summary})
    ledger.reconcile()
    return place


def test_runs_of_a_sweep_are_found(sweep, monkeypatch):
    outputs = sweep.parent.parent
    for way in ("mine", str(sweep), f"{outputs}/sweeps/mine"):
        assert find_sweep(way, outputs) == sweep
        assert folder.find(f"{way}:2", outputs) == sweep / "2"
        assert folder.find(f"{way}:best", outputs) == sweep / "1"
    monkeypatch.chdir(outputs.parent)
    assert folder.find("mine:0") == sweep / "0"
    folder.point_latest(outputs, sweep)
    assert folder.find("latest") == find_sweep("latest") == sweep
    assert folder.find("latest:best") == sweep / "1"


def test_best_is_by_the_monitored_metric_and_never_by_a_test_score(sweep):
    path = sweep / "2" / "summary.json"
    summary = json.loads(path.read_text())
    folder.write_json(path, {**summary, "monitor": "test/accuracy"})
    assert folder.find(f"{sweep}:best") == sweep / "1"
    folder.write_config(sweep / "0", {"seed": 0, "monitor_mode": "min"}, [])
    with pytest.raises(ConfigError, match="no best point"):
        folder.find(f"{sweep}:best")
    folder.write_config(sweep / "1", {"seed": 1, "monitor_mode": "min"}, [])
    assert folder.find(f"{sweep}:best") == sweep / "0"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mine:3", "mine:3 has not begun"),
        ("mine:4", "mine has no point 4: it has 0 to 3"),
        ("mine:worst", "mine:worst names no point: write mine:best, or its number, as mine:0"),
        ("yours:1", "yours is no sweep; there is mine"),
    ],
)
def test_what_cannot_be_found_says_what_can(sweep, text, said):
    with pytest.raises(ConfigError) as caught:
        folder.find(text, sweep.parent.parent)
    assert str(caught.value) == said


def test_a_sweep_is_no_run(sweep):
    for refused in (lambda: folder.find_artifact(str(sweep)), lambda: folder.read_config(sweep)):
        with pytest.raises(ConfigError, match="it is a sweep, of which one run is named as mine:best or mine:0"):
            refused()


def test_a_run_is_no_sweep(sweep):
    folder.point_latest(sweep.parent.parent, sweep / "0")
    with pytest.raises(ConfigError, match="latest is a run, 0, and no sweep"):
        find_sweep("latest", sweep.parent.parent)

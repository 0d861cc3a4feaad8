"""From a command to its strategy: every option of search, with real options checked by preflight."""

from __future__ import annotations

import pytest

from assay import preflight
from assay.composition.compose import composer_of
from assay.errors import ConfigError
from assay.sweeps.ledger.ledger import Ledger
from assay.sweeps.search.made import strategy
from assay.sweeps.search.objective import mode_of
from assay.sweeps.search.random import Random
from assay.sweeps.search.suggested import Suggested
from assay.sweeps.search.tuning import Tuned
from assay.sweeps.start import planned

COMPOSER = composer_of()
SPACE = ["data=iris", "model=mlp", "optim.lr=tag(log,interval(0.001,0.1))", "model.dropout=choice(0.0,0.2)"]


def made(folder, *words: str):
    def compose(arguments):
        return planned(preflight.points(arguments, COMPOSER, multirun=True))

    settings = preflight.points(list(words), COMPOSER, multirun=True)[0].settings
    return strategy(settings, list(words), COMPOSER, compose, folder)


@pytest.mark.parametrize("name", [name for name in COMPOSER.catalogue.groups["search"] if name != "grid"])
def test_every_option_draws_points_that_can_be_trained(tmp_path, name):
    found = made(tmp_path, *SPACE, f"search={name}", "search.trials=2", "search.seed=3")
    assert isinstance(found, Random if name == "random" else Suggested)
    assert found.runs == 2
    ledger = Ledger(tmp_path)
    found.begin(ledger)
    (entry,) = found.more(ledger, 1)
    assert entry.cell.keys() == {"optim.lr", "model.dropout"}
    assert entry.role == "trial"
    assert f"optim.lr={entry.cell['optim.lr']}" in entry.overrides
    assert not [word for word in entry.overrides if word.startswith("search")]


def test_seeds_and_folds_are_runs_of_one_trial(tmp_path):
    found = made(tmp_path, *SPACE, "search=random", "search.trials=1", "seeds=2", "folds=3")
    ledger = Ledger(tmp_path)
    found.begin(ledger)
    entries = found.more(ledger, 100)
    assert found.runs == 6
    assert {(entry.seed, entry.fold) for entry in entries} == {(seed, fold) for seed in (0, 1) for fold in (0, 1, 2)}
    assert len({tuple(entry.cell.items()) for entry in entries}) == 1


def test_tuning_is_of_a_grid_and_its_range_may_be_typed(tmp_path):
    words = ["data=iris", "model=mlp", "optim=sgd,adam", "seeds=2", "sweep.tune=[optim.lr]", "sweep.tune_trials=3"]
    found = made(tmp_path, *words, "sgd.optim.lr=tag(log,interval(0.01,1))")
    assert isinstance(found, Tuned)
    ledger = Ledger(tmp_path)
    found.begin(ledger)
    tried = {(entry.cell["optim"], word) for entry in ledger.entries() for word in entry.overrides if ".lr=" in word}
    assert tried == {
        *(("sgd", f"optim.lr={value}") for value in ("0.01", "0.1", "1")),
        *(("adam", f"optim.lr={value}") for value in ("0.0019", "0.006", "0.019")),
    }
    assert found.runs == 2 * (3 + 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["data=iris", "model=mlp", "search=random"], "draws from the keys that have several values, and none has"),
        ([*SPACE, "search=random", "sweep.tune=[optim.lr]"], "tunes the cells of a grid, and a search has none"),
        ([*SPACE, "search=tpe", "ablate=[model.dropout:0.1]"], "compares the points of a grid"),
        ([*SPACE, "search=tpe", "search.pruner=best"], "search.pruner"),
        ([*SPACE, "search=tpe", "search.trials=0"], "search.trials"),
        ([*SPACE, "search=random", "search.pruner=halving"], "search.pruner"),
        ([*SPACE, "search=gp", "search.storage=study.db"], "is no database"),
        ([*SPACE, "optim.weight_decay=interval(-1,1)", "search=random"], "optim.weight_decay"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path, words, said):
    with pytest.raises(ConfigError, match=said):
        made(tmp_path, *words)


@pytest.mark.parametrize(
    ("words", "mode"),
    [
        (["data=iris", "model=mlp"], "max"),
        (["data=diabetes", "model=mlp"], "min"),
        (["data=iris", "model=mlp", "monitor=val/log_loss"], "min"),
        (["data=iris", "model=mlp", "monitor=val/macro_f1"], "max"),
        (["data=iris", "model=mlp", "monitor=val/macro_f1", "monitor_mode=min"], "min"),
    ],
)
def test_what_is_better_is_known_before_torch_is(words, mode):
    assert mode_of(preflight.compose(words).config) == mode


def test_a_pruner_wants_single_runs(tmp_path):
    words = [*SPACE, "search=asha", "distillation=born_again"]
    found = made(tmp_path, *words)
    with pytest.raises(ConfigError, match=r"these points are loops over runs: use search\.pruner=none"):
        found.begin(Ledger(tmp_path))


def test_a_library_that_is_not_installed_is_named(tmp_path, monkeypatch):
    from assay.composition import rules

    there = rules.find_spec
    monkeypatch.setattr(rules, "find_spec", lambda library: None if library == "optuna" else there(library))
    with pytest.raises(ConfigError, match="search=tpe needs optuna, which is not installed"):
        made(tmp_path, *SPACE, "search=tpe")

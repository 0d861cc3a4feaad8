"""sweep.tune: each cell's own value, chosen by validation, before its seeds run."""

from __future__ import annotations

import math

import pytest

from assay.composition.spaces import Dimension
from assay.errors import ConfigError
from assay.sweeps.ledger.ledger import Ledger, Planned
from assay.sweeps.search.tuning import Tuned
from tests.sweeps.search.simulated import Killed, course

DEFAULTS = {"sgd": 0.1, "adam": 0.006}
BEST = {"sgd": 0.316, "adam": 0.0019}


def compose(words, refuse=None):
    said = dict(word.partition("=")[::2] for word in words)
    if refuse is not None and refuse(said):
        raise ConfigError(f"optim.lr={said['optim.lr']} is too much")
    seed, optim = int(said["seed"]), said["optim"]
    rate = float(said.get("optim.lr", DEFAULTS[optim]))
    config = {"trainer": {"max_epochs": 9}, "monitor": "val/accuracy", "monitor_mode": None, "seed": seed}
    config |= {"optim": {"lr": rate}, "switches": {"optim": optim}}
    return [Planned(config, tuple(words), {}, seed)]


def points(seeds=3):
    return [
        Planned(one.config, one.overrides, {"optim": optim}, seed)
        for optim in ("sgd", "adam")
        for seed in range(seeds)
        for one in compose([f"optim={optim}", f"seed={seed}"])
    ]


def tuned(count=8, *, seeds=3, dimensions=(), keys=("optim.lr",), refuse=None):
    return Tuned(points(seeds), keys, count, dimensions, lambda words: compose(words, refuse))


def rate_of(said):
    return float(said.get("optim.lr", DEFAULTS[said["optim"]]))


def bowl(said, seed):
    return [0.9 - math.log10(rate_of(said) / BEST[said["optim"]]) ** 2 / 10 - (said["optim"] == "sgd") / 100]


def test_every_cell_finds_its_value_and_its_seeds_run_with_it(tmp_path):
    entries = course(tuned(), tmp_path, bowl)
    ran = [entry for entry in entries if entry.role == "point"]
    found = {(entry.cell["optim"], entry.seed): word for entry in ran for word in entry.overrides if ".lr=" in word}
    assert found == {
        **{("sgd", seed): "optim.lr=0.316" for seed in range(3)},
        **{("adam", seed): "optim.lr=0.0019" for seed in range(3)},
    }
    assert len(entries) == 2 * (8 + 2)  # the trial of the chosen value is the run of its seed
    assert [entry.seed for entry in entries if entry.role == "tune"] == [0] * 14
    assert all(entry.cell.keys() == {"optim"} for entry in entries)


def test_no_seed_runs_before_its_cell_is_tuned(tmp_path):
    strategy, ledger = tuned(), Ledger(tmp_path)
    strategy.begin(ledger)
    assert strategy.runs == 2 * (8 + 2)
    offered = strategy.more(ledger, 100)
    assert len(offered) == 16
    assert {entry.role for entry in offered} == {"tune"}
    assert not strategy.finished(ledger)


def test_one_of_the_trials_is_the_run_without_tuning(tmp_path):
    ledger = Ledger(tmp_path)
    strategy = tuned()
    strategy.begin(ledger)
    before = {entry.digest for entry in ledger.entries()}
    plain = ledger.plan([point for point in points() if point.seed == 0])
    assert {entry.digest for entry in plain} <= before


def test_the_last_screen_says_what_was_chosen_and_what_that_changed(tmp_path):
    strategy = tuned()
    course(strategy, tmp_path, bowl)
    said = strategy.lines(Ledger(tmp_path))
    assert said == [
        "optim=sgd: optim.lr=0.316 of 8 tried from 0.001 to 3.16, 0.8900 with seed 0; its own optim.lr=0.1: 0.8650",
        "optim=adam: optim.lr=0.0019 of 8 tried from 6e-05 to 0.19, 0.9000 with seed 0; its own optim.lr=0.006: 0.8751",
        "Tuning, by seed 0 alone: with their own values, optim=adam was best (0.8751); tuned, it still is (0.9000), in "
        "the same order. The best and the worst lie 0.0100 apart instead of 0.0100.",
    ]


def test_a_change_of_the_best_is_said(tmp_path):
    def other(said, seed):
        return [bowl(said, seed)[0] + 0.011 * (said["optim"] == "sgd") * (rate_of(said) > 0.1)]

    strategy = tuned()
    course(strategy, tmp_path, other)
    assert strategy.lines(Ledger(tmp_path))[-1].startswith(
        "Tuning, by seed 0 alone: with their own values, optim=adam was best (0.8751); tuned, optim=sgd is (0.9010): "
        "tuning changed which is best."
    )


def test_of_equal_ones_the_order_stays_and_a_cells_own_value(tmp_path):
    strategy = tuned()
    entries = course(strategy, tmp_path, lambda said, seed: [0.5])
    assert not [word for entry in entries if entry.role == "point" for word in entry.overrides if "=0.316" in word]
    said = strategy.lines(Ledger(tmp_path))
    assert said[0].endswith("0.5000 with seed 0, its own value")
    assert said[-1] == "Tuning, by seed 0 alone, changed nothing: all reach 0.5000."


def test_a_difference_that_tuning_takes_away_is_said(tmp_path):
    strategy = tuned()
    course(strategy, tmp_path, lambda said, seed: [0.9 if rate_of(said) < 0.1 else 0.5])
    assert strategy.lines(Ledger(tmp_path))[-1] == (
        "Tuning, by seed 0 alone: with their own values, optim=adam was best (0.9000); tuned, all reach 0.9000: what "
        "told them apart was the value. The best and the worst lie 0.0000 apart instead of 0.4000."
    )


@pytest.mark.parametrize(("best", "edge", "wider"), [(100.0, "highest", "0.316,316"), (1e-9, "lowest", "1e-05,0.01")])
def test_a_value_at_the_edge_is_warned_of(tmp_path, best, edge, wider):
    strategy = tuned()
    course(strategy, tmp_path, lambda said, seed: [0.9 - math.log10(rate_of(said) / best) ** 2 / 1000])
    (line,) = [
        line for line in strategy.lines(Ledger(tmp_path)) if line.startswith("optim=sgd") and "value tried" in line
    ]
    assert f"is the {edge} value tried" in line
    assert f"add sgd.optim.lr=tag(log,interval({wider}))" in line


def test_rates_that_diverge_are_answers_and_no_failures(tmp_path):
    strategy = tuned()
    entries = course(strategy, tmp_path, lambda said, seed: None if rate_of(said) > 0.03 else bowl(said, seed))
    assert "failed" not in {entry.state for entry in entries}
    assert len([entry for entry in entries if entry.state == "pruned"]) == 5 + 2
    said = strategy.lines(Ledger(tmp_path))
    assert said[0].endswith("its own optim.lr=0.1: failed")
    assert said[-1].startswith("optim=sgd") or "sgd" not in said[-1].partition(";")[0]


def test_a_cell_that_never_trains_runs_no_seeds(tmp_path):
    strategy = tuned()
    entries = course(strategy, tmp_path, lambda said, seed: None if said["optim"] == "sgd" else bowl(said, seed))
    assert not [entry for entry in entries if entry.role == "point" and entry.cell["optim"] == "sgd"]
    assert strategy.lines(Ledger(tmp_path))[0] == (
        "optim=sgd: none of 8 values trained to an end; its seeds did not run"
    )


@pytest.mark.parametrize("slots", [1, 3])
def test_a_killed_one_ends_as_an_unbroken_one_and_seeds_extend_it(tmp_path, slots):
    whole = course(tuned(), tmp_path / "whole", bowl, slots)
    for after in (0, 5, 4, 3):
        with pytest.raises(Killed):
            course(tuned(), tmp_path / "broken", bowl, slots, kill_after=after)
    broken = course(tuned(), tmp_path / "broken", bowl, slots)

    def facts(entries):
        return {(entry.digest, entry.role, entry.state) for entry in entries}

    assert facts(broken) == facts(whole)
    more = course(tuned(seeds=5), tmp_path / "whole", bowl, slots)
    assert len(more) == len(whole) + 4
    assert {entry.attempts for entry in more} == {1}


def test_typed_ranges_are_of_the_cells_they_name(tmp_path):
    dimensions = [
        Dimension("optim.lr", 0.001, 0.1, log=True),
        Dimension("sgd.optim.lr", choices=("1", "2"), condition=("optim", "sgd")),
    ]
    strategy = tuned(3, dimensions=dimensions)
    entries = course(strategy, tmp_path, bowl)
    tried = {(e.cell["optim"], word) for e in entries for word in e.overrides if ".lr=" in word}
    assert tried == {
        *(("sgd", f"optim.lr={value}") for value in ("1", "2")),
        *(("adam", f"optim.lr={value}") for value in ("0.001", "0.006", "0.1")),
    }


def test_what_an_option_refuses_is_left_out_of_a_range_that_nobody_named(tmp_path):
    strategy = tuned(refuse=lambda said: float(said.get("optim.lr", 0)) > 1)
    entries = course(strategy, tmp_path, bowl)
    assert len([entry for entry in entries if entry.cell["optim"] == "sgd"]) == 7 + 2
    assert strategy.lines(Ledger(tmp_path))[0] == "optim=sgd: optim.lr=3.16 is not possible, and was left out"


@pytest.mark.parametrize(
    ("keys", "dimensions", "refuse", "said"),
    [
        (("optim.nothing",), (), None, r"sweep\.tune=\[optim\.nothing\]: no point has this key"),
        (("optim.lr",), [Dimension("optim.lr", 0.1, 9.0)], lambda said: "9" in said.get("optim.lr", ""), "is too much"),
        (("optim.lr",), (), lambda said: "optim.lr" in said, "no range lies around its value"),
    ],
)
def test_what_cannot_be_tuned_is_refused_before_the_first_job(tmp_path, keys, dimensions, refuse, said):
    strategy = tuned(keys=keys, dimensions=dimensions, refuse=refuse)
    with pytest.raises(ConfigError, match=said):
        strategy.begin(Ledger(tmp_path))
    assert Ledger(tmp_path).entries() == []

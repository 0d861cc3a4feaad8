"""Search by Optuna's samplers: determinism, kills, several parents, pruning, counting, what is told and how often."""

from __future__ import annotations

import math
from pathlib import Path

import optuna
import pytest

from assay.errors import ConfigError
from assay.sweeps.ledger.ledger import Ledger
from assay.sweeps.search import samplers
from assay.sweeps.search.storage import opened
from assay.sweeps.search.suggested import Suggested
from tests.sweeps.search.simulated import EPOCHS, Killed, course, end, space

WORDS = ("optim.lr=tag(log,interval(0.001,1))", "model.dropout=interval(0,0.5)", "optim=sgd,adam", "data=digits")


def bowl(said, seed=0):
    """Best at lr=0.03 and no dropout, known from the first epoch on."""
    miss = (math.log10(float(said["optim.lr"])) + 1.5) ** 2 / 4 + float(said["model.dropout"]) + seed / 1000
    return [0.9 - miss - 0.1 / epoch for epoch in range(1, EPOCHS + 1)]


def search(folder: Path, trials=8, *, of=None, seed=0, pruner="none", reduction=3, storage=None, sampler=samplers.tpe):
    return Suggested(of or space(*WORDS), folder, trials, seed, pruner, reduction, 1, storage, sampler)


def told(folder: Path, url=None):
    """(state, value, number of reports) of every trial."""
    study = optuna.load_study(study_name="study" if url is None else folder.name, storage=opened(folder, url))
    return [(one.state.name, one.value, len(one.intermediate_values)) for one in study.trials]


def drawn(entries):
    return [tuple(entry.cell.items()) for entry in entries]


def slow(value):
    return pytest.param(value, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    "sampler",
    [samplers.tpe, *map(slow, (samplers.nsga2, samplers.qmc, samplers.gp, samplers.at_random))],
    ids=lambda sampler: sampler.__name__,
)
def test_the_same_seed_gives_the_same_trials_however_often_it_is_killed(tmp_path, sampler):
    whole = course(search(tmp_path / "whole", 12, sampler=sampler), tmp_path / "whole", bowl)
    assert len(set(drawn(whole))) == 12
    for after in (0, 3, 1, 4):
        with pytest.raises(Killed):
            course(search(tmp_path / "broken", 12, sampler=sampler), tmp_path / "broken", bowl, kill_after=after)
    broken = course(search(tmp_path / "broken", 12, sampler=sampler), tmp_path / "broken", bowl)
    assert drawn(broken) == drawn(whole)
    assert told(tmp_path / "broken") == told(tmp_path / "whole")
    assert max(entry.attempts for entry in whole) == 1
    other = course(search(tmp_path / "other", 3, seed=1, sampler=sampler), tmp_path / "other", bowl)
    assert not set(drawn(other)) & set(drawn(whole))


@pytest.mark.slow
def test_it_learns(tmp_path):
    """Of forty trials the later ones lie nearer to the best point than random ones would."""
    entries = course(search(tmp_path, 40), tmp_path, bowl)
    scores = [entry.metrics["val/accuracy"] for entry in entries]
    assert sum(scores[20:]) / 20 > sum(scores[:10]) / 10 + 0.1
    assert max(scores) > 0.85


def test_more_trials_go_on_and_the_counter_is_the_studys(tmp_path):
    course(search(tmp_path, 5), tmp_path, bowl)
    entries = course(search(tmp_path, 8), tmp_path, bowl)
    assert len(entries) == 8
    assert [entry.attempts for entry in entries] == [1] * 8
    assert len(course(search(tmp_path, 6), tmp_path, bowl)) == 8


def test_the_mean_over_seeds_is_told_once(tmp_path):
    entries = course(search(tmp_path, 3, of=space(*WORDS, seeds=2)), tmp_path, bowl)
    assert [entry.seed for entry in entries] == [0, 1] * 3
    for (state, value, _), place in zip(told(tmp_path), range(0, 6, 2), strict=True):
        pair = [entry.metrics["val/accuracy"] for entry in entries[place : place + 2]]
        assert state == "COMPLETE"
        assert value == pytest.approx(sum(pair) / 2)


def test_a_point_is_run_once_and_a_finite_space_ends(tmp_path):
    of = space("optim=sgd,adam", "model.dropout=choice(0.0,0.2,0.4)", "optim.lr=choice(0.1,0.01)")
    searched = search(tmp_path, 50, of=of)
    entries = course(searched, tmp_path, bowl)
    assert len(set(drawn(entries))) == len(entries) == 12
    assert searched.finished(Ledger(tmp_path))
    assert "12 trials: 12 done" in searched.lines(Ledger(tmp_path))[-1]


def test_two_parents_share_a_study(tmp_path):
    ledger, parents = Ledger(tmp_path), [search(tmp_path, 10), search(tmp_path, 10)]
    with ledger.at_work("one") as one, ledger.at_work("two") as two:
        for parent in parents:
            parent.begin(ledger)
        turns, ran = 0, {one: 0, two: 0}
        while not all(parent.finished(ledger) for parent in parents):
            parent, worker = parents[turns % 2], (one, two)[turns % 2]
            for entry in parent.more(ledger, 1):
                if ledger.claim(entry.number, worker, entry.attempts):
                    parent.told(end(ledger, ledger.entry(entry.number), bowl)[0])
                    ran[worker] += 1
            turns += 1
            assert turns < 100
    assert ran[one] + ran[two] == 10 == len(ledger.entries())
    assert min(ran.values()) > 0
    assert [state for state, _, _ in told(tmp_path)] == ["COMPLETE"] * 10
    assert all(entry.attempts == 1 for entry in ledger.entries())


def test_a_trial_of_a_parent_that_died_is_taken_over(tmp_path):
    with pytest.raises(Killed):
        course(search(tmp_path, 4), tmp_path, bowl, slots=2, kill_after=1)
    begun = [entry.number for entry in Ledger(tmp_path).entries() if entry.state == "running"]
    entries = course(search(tmp_path, 4), tmp_path, bowl)
    assert [entry.number for entry in entries if entry.attempts == 2] == begun
    assert [state for state, _, _ in told(tmp_path)] == ["COMPLETE"] * 4


@pytest.mark.parametrize("pruner", ["halving", slow("hyperband"), slow("median")])
def test_worse_trials_are_stopped_and_stay_stopped(tmp_path, pruner):
    entries = course(search(tmp_path, 30, pruner=pruner), tmp_path, bowl)
    stopped = [entry for entry in entries if entry.state == "pruned"]
    done = [entry for entry in entries if entry.state == "done"]
    assert len(stopped) >= 5
    assert done
    assert max(e.metrics["val/accuracy"] for e in done) > max(e.metrics["val/accuracy"] for e in stopped)
    states = told(tmp_path)
    assert [state for state, _, _ in states].count("PRUNED") == len(stopped)
    assert all(1 <= reports < EPOCHS for state, _, reports in states if state == "PRUNED")
    again = course(search(tmp_path, 30, pruner=pruner), tmp_path, bowl)
    assert [entry.attempts for entry in again] == [1] * 30


def test_successive_halving_is_that_of_the_paper(tmp_path):
    """Rungs at 1, 3 and 9 epochs; at each, a trial goes on only if it is among the best third that came there."""
    scores = iter([0.5, 0.6, 0.4, 0.7, 0.45, 0.65, 0.9, 0.2, 0.8])
    known = {}

    def level(said, seed):
        key = said["optim.lr"]
        if key not in known:
            known[key] = next(scores)
        return [known[key]] * EPOCHS

    entries = course(search(tmp_path, 9, pruner="halving", sampler=samplers.at_random), tmp_path, level)
    rungs: dict[int, list[float]] = {0: [], 1: []}
    expected = []
    for entry in entries:
        value = known[entry.cell["optim.lr"]]
        for rung, epoch in ((0, 1), (1, 3)):
            rungs[rung].append(value)
            kept = max(len(rungs[rung]) // 3, 1)
            if value < sorted(rungs[rung], reverse=True)[kept - 1]:
                expected.append(epoch)
                break
        else:
            expected.append(EPOCHS - 1)
    assert [reports for _, _, reports in told(tmp_path)] == expected
    assert set(expected) == {1, 3, EPOCHS - 1}


def test_of_several_seeds_the_first_is_watched_and_the_others_wait_for_it(tmp_path):
    entries = course(search(tmp_path, 12, of=space(*WORDS, seeds=2), pruner="halving"), tmp_path, bowl, slots=3)
    by_cell: dict = {}
    for entry in entries:
        by_cell.setdefault(tuple(entry.cell.items()), []).append(entry.state)
    assert set(map(tuple, by_cell.values())) == {("done", "done"), ("pruned", "planned")}


@pytest.mark.slow
def test_a_loss_that_is_not_finite_is_no_failure_and_worse_than_any_other(tmp_path, monkeypatch):
    """Half of the space diverges: the sampler keeps away from it, which it does not from points that failed for a
    reason of another kind, of which it is told nothing."""

    def steep(said, seed):
        return None if float(said["model.dropout"]) > 0.25 else [0.5]

    entries = course(search(tmp_path / "a", 30), tmp_path / "a", steep)
    assert {entry.state for entry in entries} == {"done", "pruned"}
    diverged = [place for place, entry in enumerate(entries) if entry.state == "pruned"]
    assert [state for state, _, _ in told(tmp_path / "a")].count("PRUNED") == len(diverged)
    monkeypatch.setattr("assay.sweeps.search.suggested.has_diverged", lambda entry: False)
    others = course(search(tmp_path / "b", 30), tmp_path / "b", steep)
    failed = [place for place, entry in enumerate(others) if entry.state == "failed"]
    assert [state for state, _, _ in told(tmp_path / "b")].count("FAIL") == len(failed)
    assert sum(place >= 10 for place in diverged) < sum(place >= 10 for place in failed)


def test_a_failure_is_tried_again_and_what_it_scores_then_is_told(tmp_path):
    searched = search(tmp_path, 3)
    ledger = Ledger(tmp_path)
    with ledger.at_work("one") as worker:
        searched.begin(ledger)
        for place in range(3):
            (entry,) = searched.more(ledger, 1)
            ledger.claim(entry.number, worker)
            state = "failed" if place == 1 else "done"
            searched.told(
                ledger.finish(entry.number, state, reason="out of memory")
                if place == 1
                else end(ledger, ledger.entry(entry.number), bowl)[0]
            )
        assert searched.more(ledger, 1) == []
        assert searched.finished(ledger)
    assert [state for state, _, _ in told(tmp_path)] == ["COMPLETE", "FAIL", "COMPLETE"]
    entries = course(search(tmp_path, 3), tmp_path, bowl)
    assert [entry.attempts for entry in entries] == [1, 2, 1]
    assert [state for state, _, _ in told(tmp_path)] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    course(search(tmp_path, 3), tmp_path, bowl)
    assert len(told(tmp_path)) == 4


def test_what_preflight_refuses_is_no_trial(tmp_path):
    of = space(*WORDS, refuse=lambda said: float(said["model.dropout"]) > 0.3)
    searched = search(tmp_path, 8, of=of)
    entries = course(searched, tmp_path, bowl)
    assert len(entries) == 8
    assert all(float(entry.cell["model.dropout"]) <= 0.3 for entry in entries)
    assert "was drawn and refused" in searched.lines(Ledger(tmp_path))[0]


def test_a_key_under_a_condition_is_suggested_where_it_holds(tmp_path):
    of = space("optim=sgd,momentum", "momentum.optim.momentum=interval(0.5,0.9)", "optim.lr=interval(0.1,1)")

    def any_(said, seed):
        return [float(said.get("optim.momentum", 0.4))]

    entries = course(search(tmp_path, 12, of=of), tmp_path, any_)
    assert {("momentum.optim.momentum" in entry.cell, entry.cell["optim"]) for entry in entries} == {
        (True, "momentum"),
        (False, "sgd"),
    }


@pytest.mark.slow
def test_a_database_serves_as_well(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    course(search(tmp_path / "s", 4, storage=url, pruner="halving"), tmp_path / "s", bowl)
    assert len(told(tmp_path / "s", url)) == 4
    assert not (tmp_path / "s" / "study.journal").exists()


@pytest.mark.parametrize(("url", "said"), [("study.db", "is no database"), ("mysql://me:pw@host/x", "password")])
def test_a_storage_that_cannot_be_is_refused(tmp_path, url, said):
    with pytest.raises(ConfigError, match=said):
        search(tmp_path, storage=url)

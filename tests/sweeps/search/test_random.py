"""Random search: what is drawn, how often, and that it goes on where it stopped."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from assay.errors import ConfigError
from assay.sweeps.search.random import Random
from tests.sweeps.search.simulated import Killed, course, space

WORDS = ("optim.lr=tag(log,interval(0.001,1))", "model.dropout=interval(0,0.5)", "optim=sgd,adam", "data=digits")


def flat(said, seed):
    return [0.5] * 9


def drawn(entries):
    return [tuple(entry.cell.items()) for entry in entries]


def test_every_dimension_is_drawn_by_its_own_measure():
    of = space(*WORDS)
    cells = [of.drawn(f"0/{number}") for number in range(2000)]
    logs = [math.log10(float(cell["optim.lr"])) for cell in cells]
    assert -3 <= min(logs) <= -2.99
    assert -0.01 <= max(logs) <= 0
    assert sum(logs) / len(logs) == pytest.approx(-1.5, abs=0.05)
    assert sum(float(cell["model.dropout"]) for cell in cells) / len(cells) == pytest.approx(0.25, abs=0.01)
    assert Counter(cell["optim"] for cell in cells)["sgd"] == pytest.approx(1000, abs=70)


def test_the_same_seed_draws_the_same_points_and_more_trials_go_on(tmp_path):
    three = course(Random(space(*WORDS), 3, 0), tmp_path / "a", flat)
    five = course(Random(space(*WORDS), 5, 0), tmp_path / "b", flat)
    assert drawn(five)[:3] == drawn(three)
    again = course(Random(space(*WORDS), 5, 0), tmp_path / "a", flat)
    assert drawn(again) == drawn(five)
    assert [entry.attempts for entry in again] == [1] * 5
    other = course(Random(space(*WORDS), 3, 1), tmp_path / "c", flat)
    assert not set(drawn(other)) & set(drawn(three))


@pytest.mark.parametrize("slots", [1, 3])
def test_a_killed_search_ends_as_an_unbroken_one(tmp_path, slots):
    whole = course(Random(space(*WORDS), 6, 0), tmp_path / "whole", flat, slots)
    for after in (0, 2, 1):
        with pytest.raises(Killed):
            course(Random(space(*WORDS), 6, 0), tmp_path / "broken", flat, slots, kill_after=after)
    broken = course(Random(space(*WORDS), 6, 0), tmp_path / "broken", flat, slots)
    assert drawn(broken) == drawn(whole)
    assert {entry.state for entry in broken} == {"done"}


def test_seeds_are_runs_of_each_trial_and_may_be_added(tmp_path):
    entries = course(Random(space(*WORDS, seeds=2), 3, 0), tmp_path, flat)
    assert Counter(drawn(entries)) == dict.fromkeys(drawn(entries), 2)
    assert [entry.seed for entry in entries] == [0, 1] * 3
    more = course(Random(space(*WORDS, seeds=3), 3, 0), tmp_path, flat)
    assert len(more) == 9
    assert all(entry.attempts == 1 for entry in more)


def test_named_points_are_drawn_once_each_and_then_there_are_no_more(tmp_path):
    search = Random(space("optim=sgd,adam", "model.num_layers=range(1,4)"), 20, 0)
    entries = course(search, tmp_path, flat)
    assert len(set(drawn(entries))) == len(entries) == 6
    assert "holds 6 points" in search.lines(None)[0]
    assert search.runs == 6


def test_a_key_under_a_condition_is_drawn_where_it_holds(tmp_path):
    entries = course(
        Random(space("optim=sgd,momentum", "momentum.optim.momentum=interval(0.5,0.9)"), 8, 0), tmp_path, flat
    )
    assert {len(entry.cell) for entry in entries if entry.cell["optim"] == "momentum"} == {2}
    assert [entry.cell for entry in entries if entry.cell["optim"] == "sgd"] == [{"optim": "sgd"}]
    assert "optim.momentum" in " ".join(next(e.overrides for e in entries if e.cell["optim"] == "momentum"))


def test_what_preflight_refuses_is_not_run_and_is_told(tmp_path):
    search = Random(space(*WORDS, refuse=lambda said: float(said["model.dropout"]) > 0.25), 4, 0)
    entries = course(search, tmp_path, flat)
    assert len(entries) == 4
    assert all(float(entry.cell["model.dropout"]) <= 0.25 for entry in entries)
    assert all("was drawn and refused: these do not go together" in line for line in search.lines(None))


def test_a_space_that_preflight_refuses_whole_ends_in_a_line(tmp_path):
    search = Random(space(*WORDS, refuse=lambda said: float(said["model.dropout"]) > 0), 4, 0)
    with pytest.raises(ConfigError, match="20 points one after the other were refused"):
        course(search, tmp_path, flat)


def test_a_failure_is_tried_again_by_the_next_command_alone(tmp_path):
    def broken(said, seed):
        return None if float(said["model.dropout"]) > 0.25 else [0.5]

    first = course(Random(space(*WORDS), 6, 0), tmp_path, broken)
    failed = [entry.number for entry in first if entry.state == "failed"]
    assert failed
    second = course(Random(space(*WORDS), 6, 0), tmp_path, flat)
    assert [entry.number for entry in second if entry.attempts == 2] == failed
    assert {entry.state for entry in second} == {"done"}

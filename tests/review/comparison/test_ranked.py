"""Who is first, and what may be said of it."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from assay.review.comparison.opening import verdict
from assay.review.comparison.ranked import gap, names, ranked, told
from assay.sweeps.tables.cells import Cell, Group
from assay.sweeps.tables.statistics import estimate


def record(seed, **summary):
    return SimpleNamespace(seed=seed, summary=summary, config=lambda key: (True, None), switches={})


def group(scores, tests=None, mode="max", metric="val/accuracy"):
    """{option: score of each seed} as a group of cells."""
    test = f"test/{metric.partition('/')[2]}"
    cells = []
    for name, values in scores.items():
        more = (tests or {}).get(name)
        runs = [
            record(seed, **{metric: value}, **({test: more[seed]} if more else {})) for seed, value in enumerate(values)
        ]
        cells.append(Cell({"model": name}, runs))
    return Group("digits", "d", metric, mode, ["model"], cells, {})


def said(found):
    return re.sub("<[^>]+>", "", verdict(found))


def test_validation_orders_and_the_test_split_never_does():
    found = ranked(group({"a": [0.8], "b": [0.9], "c": [0.7]}, {"a": [0.99], "b": [0.5], "c": [0.6]}))
    assert [cell.settings["model"] for cell in found.cells] == ["b", "a", "c"]
    assert found.test_metric == "test/accuracy"
    found = ranked(group({"a": [2.0], "b": [1.0], "c": [3.0]}, mode="min", metric="val/rmse"))
    assert [cell.settings["model"] for cell in found.cells] == ["b", "a", "c"]
    assert "Best by val/rmse: model=b" in said(found)


def test_cells_without_a_score_come_last():
    made = group({"a": [float("nan")], "b": [0.5]})
    found = ranked(made)
    assert [cell.settings["model"] for cell in found.cells] == ["b", "a"]
    assert found.scored == 1
    assert "There is nothing to compare it with." in said(found)
    assert "No run of digits has a finite" in said(ranked(group({"a": [float("nan")]})))


def test_a_clear_difference_is_beyond_chance():
    found = ranked(group({"a": [0.90, 0.91, 0.92, 0.905], "b": [0.80, 0.812, 0.82, 0.803]}))
    assert "The difference is beyond chance: the next, model=b, is 0.1000 behind (p &lt; 0.001, 4 pairs)" in said(found)


def test_a_small_one_may_be_luck():
    found = ranked(group({"a": [0.90, 0.95, 0.85], "b": [0.91, 0.90, 0.86], "c": [0.5, 0.5, 0.51]}))
    text = said(found)
    assert "That may be luck: the next, model=b, is 0.0100 behind" in text
    assert found.tied == 1


def test_the_test_split_may_say_otherwise():
    tests = {"a": [0.80, 0.81, 0.82, 0.805], "b": [0.90, 0.912, 0.92, 0.903]}
    found = ranked(group({"a": [0.91, 0.92, 0.93, 0.94], "b": [0.90, 0.91, 0.92, 0.93]}, tests))
    assert "The test split says otherwise: the next, model=b, is 0.1000 ahead on the test split" in said(found)


def test_one_run_each_says_nothing():
    text = said(ranked(group({"a": [0.9], "b": [0.8]})))
    assert "Nobody can say whether that is luck: each has one run; the next, model=b, is 0.1000 behind." in text


def test_the_baseline_can_be_any_cell():
    made = group({"a": [0.9, 0.91], "b": [0.8, 0.82]})
    found = ranked(made, made.cells[1])
    assert found.baseline == 1
    assert found.compared(1)[0].difference.mean == pytest.approx(0.095)
    assert found.compared(1)[1] is None


def test_names_leave_out_what_all_share():
    cells = [Cell({"model": "rnn", "optim": one}, []) for one in ("sgd", "adam")]
    assert names(cells) == ("model=rnn", ["optim=sgd", "optim=adam"])
    assert names(cells[:1]) == ("", ["model=rnn optim=sgd"])


def test_numbers_as_a_reader_wants_them():
    assert told(estimate([(0, None, 0.5), (1, None, 0.7)], None)) == "0.6000 ± 1.2706"
    assert told(estimate([(0, None, 0.5)], None)) == "0.5000"
    assert told(None) == "–"
    assert gap(-0.00025, sign=True) == "−0.0003"
    assert gap(0.01, sign=True) == "+0.0100"
    assert gap(1234.5) == "1234"

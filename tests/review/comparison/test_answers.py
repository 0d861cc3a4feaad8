"""The answers of many runs, against counting by hand."""

from __future__ import annotations

import csv
import json
from types import SimpleNamespace

import numpy as np

from assay.review.comparison.answers import pictured, read

HEAD = ("id", "target", "prediction", "probability", "loss")


def run(place, rows, kind="class", names=("a", "b", "c"), hardest=()):
    (place / "predictions").mkdir(parents=True)
    with open(place / "predictions" / "test.csv", "w", newline="") as file:
        csv.writer(file).writerows([HEAD, *rows])
    (place / "data.json").write_text(json.dumps({"label": {"kind": kind, "names": list(names)}}))
    (place / "predictions" / "hardest.json").write_text(json.dumps({"examples": list(hardest)}))
    return SimpleNamespace(folder=place)


def cell(*runs):
    return SimpleNamespace(runs=list(runs))


def test_how_often_each_example_was_wrong(tmp_path):
    first = run(tmp_path / "0", [(4, "a", "b", 0.9, 2), (9, "b", "b", 0.9, 0.5)])
    second = run(tmp_path / "1", [(4, "a", "c", 0.9, 4), (9, "b", "a", 0.9, 1.5)])
    fold = run(tmp_path / "2", [(7, "c", "c", 0.9, 0.1)])
    broken = SimpleNamespace(folder=tmp_path / "3")
    found = read([cell(first, fold), cell(second, broken)], [0])
    assert (found.kind, found.names, found.runs, found.having) == ("class", ["a", "b", "c"], 3, 3)
    told = {key: (one.tested, one.wrong, one.mean_loss, dict(one.answers)) for key, one in found.examples.items()}
    assert told == {
        "4": (2, 2, 3.0, {"b": 1, "c": 1}),
        "9": (2, 1, 1.0, {"a": 1}),
        "7": (1, 0, 0.1, {}),
    }
    assert list(found.classes) == [0]
    np.testing.assert_array_equal(found.classes[0].matrix, [[0, 1, 0], [0, 1, 0], [0, 0, 1]])
    assert found.classes[0].hits.tolist() == [0, 1, 1]
    assert found.classes[0].examples == 3


def test_a_class_that_no_card_names_gets_its_place(tmp_path):
    first = run(tmp_path / "0", [(1, "a", "a", 0.9, 1)], names=("a",))
    second = run(tmp_path / "1", [(1, "a", "z", 0.9, 1)], names=("a",))
    found = read([cell(first, second)], [0])
    assert found.names == ["a", "z"]
    np.testing.assert_array_equal(found.classes[0].matrix, [[1, 1], [0, 0]])


def test_several_labels_and_numbers(tmp_path):
    labels = run(tmp_path / "0", [(1, "a|b", "a", 0.9, 1), (2, "", "", 0.9, 0.2)], kind="labels", names=("a", "b"))
    found = read([cell(labels)], [0])
    assert found.classes[0].there.tolist() == [1, 1]
    assert found.classes[0].said.tolist() == [1, 0]
    assert found.classes[0].matrix is None
    assert found.examples["1"].wrong == 1
    number = run(tmp_path / "1", [(1, "2.5", "3.5", "", 1)], kind="number", names=())
    found = read([cell(number)], [0])
    assert found.kind == "number"
    assert found.classes == {}
    assert found.examples["1"].wrong == 0
    assert found.examples["1"].mean_loss == 1


def test_a_file_that_is_broken_is_passed_over(tmp_path):
    bad = run(tmp_path / "0", [(1, "a", "b", "much", 1)])
    good = run(tmp_path / "1", [(1, "a", "b", 0.5, 1)])
    assert read([cell(bad, good)], [0]).runs == 1


def test_pictures_come_from_whichever_run_kept_them(tmp_path):
    first = run(tmp_path / "0", [], hardest=[{"id": 4, "text": "four"}])
    second = run(tmp_path / "1", [], hardest=[{"id": 4, "text": "other"}, {"id": 9, "text": "nine"}])
    found = pictured([cell(first), cell(second)], ["9", "4", "5"])
    assert {key: one["text"] for key, one in found.items()} == {"4": "four", "9": "nine"}

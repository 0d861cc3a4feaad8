"""assay diff: what was typed, what came of it, what it was made with, what it scored, and whether that compares."""

from __future__ import annotations

import json

import pytest

import assay
from assay import cli
from assay.lifecycle import records
from assay.lifecycle.diff import difference
from tests.made_runs import make_run

ENVIRONMENT = {"versions": {"torch": "2.14", "numpy": "2"}, "threads": 1, "data_digest": "d" * 64, "commit": "a" * 40}


def made(place, environment=ENVIRONMENT, card=None, **parts):
    run = make_run(place, **parts)
    (run / "environment.json").write_text(json.dumps(environment))
    if card is not None:
        (run / "data.json").write_text(json.dumps(card))
    return run


def told(first, second):
    return difference(records.read(first), records.read(second))


def test_only_what_differs(tmp_path):
    node = {"_target_": "a.MLP", "_partial_": True, "size": 3, "act": {"_target_": "x", "k": 1}}
    a = made(tmp_path / "a", overrides=["model=mlp", "optim.lr=0.1", "name='n'"], config={"model": node})
    other = {**node, "_target_": "a.LSTM", "act": {"_target_": "x", "k": 2}, "depth": None}
    del other["size"]
    b = made(
        tmp_path / "b",
        {**ENVIRONMENT, "versions": {"torch": "2.15", "numpy": "2"}, "commit": "b" * 40},
        overrides=["model=lstm", "name=n", "~x"],
        switches={"model": "lstm"},
        config={"model": other},
        summary={"test/accuracy": 0.7, "val/accuracy": 0.6, "test/log_loss": 2.0, "steps": 10},
    )
    found = told(a, b)
    assert {pair.key: pair.cells() for pair in found.overrides} == {
        "model": ("mlp", "lstm"),
        "optim.lr": ("0.1", "–"),
        "~x": ("–", "(left out)"),
    }
    assert {pair.key: pair.cells() for pair in found.config} == {
        "model": ("mlp", "lstm"),
        "model.size": ("3", "–"),
        "model.act.k": ("1", "2"),
        "model.depth": ("–", "null"),
    }
    assert {pair.key: pair.cells() for pair in found.made_with} == {
        "torch": ("2.14", "2.15"),
        "commit": ("a" * 12, "b" * 12),
    }
    assert {pair.key: (pair.first, pair.second) for pair in found.metrics} == {
        "test/accuracy": (0.5, 0.7),
        "test/log_loss": (None, 2.0),
        "val/accuracy": (0.6, 0.6),
    }
    assert found.apart == []


def test_the_class_of_a_part_tells_where_its_option_is_the_same(tmp_path):
    a = made(tmp_path / "a", config={"model": {"_target_": "old.MLP"}})
    b = made(tmp_path / "b", config={"model": {"_target_": "new.MLP"}})
    assert [pair.key for pair in told(a, b).config] == ["model._target_"]


@pytest.mark.parametrize(
    ("parts", "environment", "card", "said"),
    [
        ({}, ENVIRONMENT, {"sizes": {"train": 9}}, None),
        ({}, {**ENVIRONMENT, "data_digest": "e"}, None, "the data differ"),
        ({}, {}, None, "B does not say what data it saw"),
        ({}, {}, {"digest": "d" * 64}, None),
        ({"config": {"data": {"split_seed": 1}}}, ENVIRONMENT, None, "the splits differ"),
        ({}, ENVIRONMENT, {"sizes": {"train": 8}}, "the splits differ"),
        ({"summary": {"monitor": "val/loss"}}, ENVIRONMENT, None, "A watches val/accuracy, B val/loss"),
        ({"summary": {"status": "failed"}}, ENVIRONMENT, None, "B failed"),
        ({"summary": None}, ENVIRONMENT, None, "B was killed"),
    ],
)
def test_what_can_be_compared(tmp_path, capsys, parts, environment, card, said):
    a = made(tmp_path / "a", card={"sizes": {"train": 9}})
    b = made(tmp_path / "b", environment, card, **parts)
    assert told(a, b).apart == ([said] if said else [])
    assert cli.main(["diff", str(a), str(b)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == (f"Not comparable: {said}." if said else last)
    if not said:
        assert last == "Comparable: the same data, split and monitor (val/accuracy)."


def test_differences_and_the_better_of_two(tmp_path, capsys):
    a = made(tmp_path / "a", summary={"test/accuracy": 0.5, "test/log_loss": 1.0, "seconds": 1.0, "parameters": 10})
    b = made(tmp_path / "b", summary={"test/accuracy": 0.75, "test/log_loss": 1.5, "seconds": 3.0, "parameters": 7})
    cli.main(["diff", str(a), str(b)])
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines() if line}
    assert rows["test/accuracy"] == ["0.5000", "0.7500", "+0.2500", "B"]
    assert rows["test/log_loss"] == ["1.0000", "1.5000", "+0.5000", "A"]
    assert rows["seconds"] == ["1.0", "3.0", "+2.0"]
    assert rows["parameters"] == ["10", "7", "-3"]
    assert rows["The"] == ["resolved", "configs", "are", "the", "same."]


def test_a_narrow_terminal_gets_one_thing_a_block(tmp_path, capsys, monkeypatch):
    a = made(tmp_path / "a", overrides=["optim.lr=0.1"])
    b = made(tmp_path / "b", overrides=["optim.lr=[1,2,3,4,5,6,7,8,9,10,11,12]"])
    monkeypatch.setenv("COLUMNS", "40")
    cli.main(["diff", str(a), str(b)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[3:7] == ["typed", "optim.lr", "  A 0.1", "  B [1,2,3,4,5,6,7,8,9,10,11,12]"]


def test_json(tmp_path, capsys):
    a = made(tmp_path / "a", overrides=["x=1"], summary={"test/accuracy": 0.5})
    b = made(tmp_path / "b", config={"optim": {"lr": None}}, summary={"test/accuracy": float("nan")})
    assert cli.main(["diff", str(a), str(b), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found["overrides"] == {"x": {"a": "1"}}
    assert found["config"] == {
        "optim.lr": {"a": 0.006, "b": None},
        "optim._target_": {"a": "torch.optim.Adam"},
    }
    assert found["metrics"]["test/accuracy"] == {"a": 0.5, "b": None, "difference": None}
    assert (found["comparable"], found["why_not"]) == (True, [])


def test_wrong_names_and_one_run(tmp_path, capsys, monkeypatch):
    run = made(tmp_path / "a")
    for argv, said in (
        (["nowhere", str(run)], "nowhere is not a run folder"),
        ([str(tmp_path), str(run)], "is not a run that can be read: no config.yaml"),
        ([str(run)], "required: B"),
        ([str(run), "latest"], "no latest run in outputs"),
    ):
        monkeypatch.chdir(tmp_path)
        assert cli.main(["diff", *argv]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line
    assert cli.main(["diff", str(run), str(run)]) == 0
    assert "A and B are one run." in capsys.readouterr().out


def test_real_runs(digits_run, capsys):
    outputs = digits_run.folder.parents[1]
    words = ("trainer=cpu", "trainer.max_epochs=1", "logger=none", f"outputs={outputs.parent / 'other'}")
    second = assay.train("model=linear", "data.split_seed=1", *words)
    capsys.readouterr()
    assert cli.main(["diff", str(digits_run.folder), str(second.folder / "artifact")]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "Not comparable: the splits differ."
    assert "model.hidden_sizes" in out
    assert "model._target_" not in out

"""What is read of a run folder, whole or in pieces."""

from __future__ import annotations

import math
import shutil

import pytest

from assay.errors import ConfigError
from assay.folder import held
from assay.review import facts
from tests.review import run_folders


def test_a_finished_run(digits_run):
    run = facts.read(digits_run.folder)
    assert (run.status, run.reason, run.kind, run.notes) == ("done", None, "class", [])
    assert run.names == list("0123456789")
    assert run.name == "mlp on digits"
    assert run.monitor == "val/accuracy"
    assert len(run.predictions) == 180
    assert run.scores("test")["accuracy"] == digits_run.summary["test/accuracy"]
    assert set(run.scores("baseline")) == set(run.scores("train")) == set(run.scores("test"))
    assert [point.epoch for point in run.curves["val/accuracy"]] == [0, 1, 2]
    assert run.curves["val/accuracy"][-1].step == 135
    assert run.card["sizes"] == {"train": 1437, "val": 180, "test": 180}
    assert len(run.hardest) == 24
    assert {"config.yaml", "artifact/weights.safetensors", "checkpoints/best.ckpt", "data.json"} <= set(run.files)


def test_a_run_may_be_moved(digits_run, tmp_path):
    there = shutil.copytree(digits_run.folder, tmp_path / "with a space" / "renamed")
    assert facts.read(there).predictions == facts.read(digits_run.folder).predictions


@pytest.mark.parametrize("status", ["failed", "stopped", "interrupted"])
def test_how_a_run_ended(tmp_path, status):
    run = facts.read(run_folders.make(tmp_path, status=status, reason="the disk is full"))
    assert (run.status, run.reason) == (status, "the disk is full")


def test_a_run_without_an_end_was_killed_unless_it_goes_on(tmp_path):
    folder = run_folders.make(tmp_path, status=None)
    assert facts.read(folder).status == "unfinished"
    with held(folder):
        assert facts.read(folder).status == "running"


def test_only_the_config_is_needed(tmp_path):
    folder = run_folders.make(tmp_path, status=None)
    for path in folder.iterdir():
        if path.name != "config.yaml":
            path.unlink()
    run = facts.read(folder)
    assert (run.curves, run.predictions, run.card, run.overrides, run.notes) == ({}, [], {}, [], [])
    assert (run.kind, run.names, run.log) == (None, [], "")


BROKEN = {
    "metrics.csv": "step,epoch,name,value\n1,0,train/loss,many\n",
    "summary.json": "[]",
    "environment.json": '{"versions": ',
    "data.json": "\xff",
    "predictions/hardest.json": "3",
    "predictions/test.csv": "id,target\n1,2\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named_and_the_rest_is_read(tmp_path, name):
    folder = run_folders.make(tmp_path, rows=run_folders.class_rows("ab", 20), names="ab")
    (folder / name).write_bytes(BROKEN[name].encode("latin-1"))
    run = facts.read(folder)
    (note,) = run.notes
    assert note.startswith(f"{name} could not be read")
    assert run.log
    assert name == "metrics.csv" or run.curves["train/loss"][-1] == facts.Point(60, 5, 2 / 6)


def test_kind_and_names_without_a_card(tmp_path):
    folder = run_folders.make(tmp_path / "a", rows=run_folders.class_rows(["x", "y"], 30), names="xy")
    (folder / "data.json").unlink()
    run = facts.read(folder)
    assert (run.kind, run.names) == ("class", ["x", "y"])
    folder = run_folders.make(tmp_path / "b", rows=run_folders.number_rows(5))
    (folder / "data.json").unlink()
    run = facts.read(folder)
    assert run.kind == "number"
    assert math.isnan(run.predictions[0].probability)


def test_a_log_of_any_length_is_read_from_its_end(tmp_path):
    folder = run_folders.make(tmp_path)
    (folder / "log.txt").write_text("".join(f"line {n}\n" for n in range(100_000)))
    log = facts.read(folder).log
    assert len(log) < 70_000
    assert log.startswith("…line ")
    assert log.endswith("line 99999\n")


def test_what_is_no_run_is_refused(tmp_path, digits_run):
    with pytest.raises(ConfigError, match="is an artifact without its run; name a run folder"):
        facts.read(shutil.copytree(digits_run.folder / "artifact", tmp_path / "artifact"))
    run_folders.make(tmp_path / "sweep")
    with pytest.raises(ConfigError, match=r"sweep has no config.yaml; it holds runs, as sweep/12-30-00-made"):
        facts.read(tmp_path / "sweep")
    folder = run_folders.make(tmp_path / "other")
    (folder / "config.yaml").write_text("format: 99\n")
    with pytest.raises(ConfigError, match="format 99"):
        facts.read(folder)


def test_infinite_scores_are_none(tmp_path):
    folder = run_folders.make(tmp_path, **{"test/accuracy": 0.5, "test/log_loss": math.inf})
    assert facts.read(folder).scores("test") == {"accuracy": 0.5}

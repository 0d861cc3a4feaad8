"""The offline record: complete, without secrets, without the user's data unless that was asked for."""

from __future__ import annotations

import csv
import getpass
import json
import math
import os
import socket

import pytest
from PIL import Image

from assay.errors import ConfigError
from assay.review import metrics_csv, wandb_log, wandb_record
from assay.review.metrics_csv import MetricsCSV
from assay.review.wandb_log import WandbLog, run_id, sweep_of, tags

SECRET = "correct-horse-battery"
CONFIG = {
    "seed": 3,
    "name": None,
    "data": {"path": "reviews.csv", "api_key": SECRET, "url": f"https://me:{SECRET}@example.org/x"},
    "model": {"hidden_size": 256, "dropout": 0.1, "normalization": None, "sizes": [1, 2]},
    "switches": {"model": "lstm", "optim": "adam", "ema": "none", "logger": "wandb", "callbacks": ["grad_norm", "a"]},
}
SUMMARY = {
    "status": "done",
    "test/accuracy": 0.75,
    "baseline": "majority",
    "parameters": 1234,
    "reason": "a sentence that quotes SOMEONES WORDS",
}


def write_points(folder, steps=range(0, 300)):
    points = MetricsCSV(folder / "metrics.csv")
    for step in steps:
        points.write(
            step * 10, step // 50, {"train/loss": 1 / (step + 7), "grad_norm": math.nan if step == 4 else step / 3}
        )
        if step % 50 == 49:
            points.write(step * 10, step // 50, {"val/accuracy": step / 300})
    points.close()


def write_results(folder):
    for name in ("figures", "predictions", "artifact"):
        (folder / name).mkdir()
    for name in ("curves", "confusion", "examples"):
        Image.new("RGB", (4, 4), (len(name), 0, 0)).save(folder / "figures" / f"{name}.png")
    (folder / "predictions" / "test.csv").write_text("id,target,prediction\n0,SOMEONES WORDS,b\n1,b,b\n")
    (folder / "artifact" / "vocabulary.json").write_text('["SOMEONES WORDS"]')
    (folder / "source.patch").write_text(f"+password = '{SECRET}'\n+SOMEONES WORDS\n")


def record_rows(record):
    """The points of a record in the form of metrics.csv."""
    rows = []
    for line in record.history:
        values = {k: v for k, v in line.items() if k[0] != "_" and k not in ("trainer/step", "epoch")}
        rows += [(line["trainer/step"], line["epoch"], name, repr(float(value))) for name, value in values.items()]
    return sorted(rows)


def file_rows(folder):
    rows = metrics_csv.read(folder / "metrics.csv")
    return sorted((row.step, row.epoch, row.name, repr(row.value)) for row in rows)


@pytest.fixture(scope="module", params=["curves", "data"])
def finished(request, tmp_path_factory, no_account_module):
    """A run folder after an offline run inside a sweep, and what the log said."""
    no_account_module.setenv("SERVICE_TOKEN", SECRET)
    folder = tmp_path_factory.mktemp("outputs") / "sweeps" / "lr study" / "7"
    folder.mkdir(parents=True)
    log = WandbLog(folder, CONFIG, project="demo", upload=request.param)
    said = [log.start()]
    write_points(folder)
    write_results(folder)
    said += [log.finish("done", SUMMARY), log.finish("done", SUMMARY)]
    return folder, request.param, said


def test_the_record_holds_metrics_csv_point_for_point(finished):
    folder, _, _ = finished
    record = wandb_record.read(folder)
    lines = [line for line in record.history if "epoch" in line]
    record.history = lines
    assert record_rows(record) == file_rows(folder)
    assert len(file_rows(folder)) == 606
    steps = [line["trainer/step"] for line in lines]
    assert steps == sorted(set(steps))  # each step once, in order
    assert [line["_step"] for line in lines] == sorted({line["_step"] for line in lines})


def test_the_record_says_what_the_run_was(finished):
    folder, _, _ = finished
    record = wandb_record.read(folder)
    assert record.id == run_id(folder)
    assert (record.project, record.group, record.name, record.job_type) == ("demo", "lr study", "lr study/7", "train")
    assert record.tags == ("model=lstm", "optim=adam", "callbacks=grad_norm", "callbacks=a")
    assert record.config["seed"] == 3
    assert record.config["model"] == CONFIG["model"]
    assert record.config["data"] == {
        "path": "reviews.csv",
        "api_key": "[redacted]",
        "url": "https://[redacted]@example.org/x",
    }
    assert record.summary["test/accuracy"] == 0.75
    assert record.summary["parameters"] == 1234
    assert record.summary["status"] == "done"
    assert record.exit_code == 0


def test_no_secret_and_nothing_of_the_machine_is_written(finished):
    folder, upload, _ = finished
    for path in (folder / "wandb").rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path
    written = wandb_record.find(folder).read_bytes()
    names = [socket.gethostname(), getpass.getuser(), os.getcwd()]
    names += [str(folder.parent)] if upload == "curves" else []  # an artifact's files are told by their place
    assert [name for name in names if len(name) > 4 and name.encode() in written] == []


def test_data_is_in_the_record_only_when_asked_for(finished):
    folder, upload, _ = finished
    record = wandb_record.read(folder)
    kept = [path for path in (folder / "wandb").glob("offline-run-*/**/*") if path.is_file()]
    shown = {key for line in record.history for key in line if key.startswith(("figures/", "predictions/"))}
    somewhere = any(b"SOMEONES WORDS" in path.read_bytes() for path in kept)
    if upload == "curves":
        assert shown == {"figures/curves", "figures/confusion"}
        assert not somewhere
        assert not record.artifacts
        assert all(name.startswith("media/images/figures/") for name in record.files)
    else:
        assert shown == {"figures/curves", "figures/confusion", "figures/examples", "predictions/test"}
        assert somewhere
        assert f"model-{record.id}" in record.artifacts
        assert "source.patch" in record.files


def test_what_the_screen_says(finished):
    _, _, said = finished
    assert said == ["W&B: offline (no key); assay sync uploads", None, None]


def test_only_the_record_and_what_it_was_made_from_stays(finished):
    folder, _, _ = finished
    names = {path.name for path in (folder / "wandb").iterdir() if not path.name.startswith("offline-run-")}
    assert names == {"run_id", "run.json", "log.txt", "lock"}
    assert len(list((folder / "wandb").glob("offline-run-*"))) == 1


def test_a_killed_run_gets_a_full_record_when_resumed(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    first = WandbLog(folder, CONFIG)
    first.start()
    write_points(folder, range(0, 120))  # and killed here: finish is never called
    name = run_id(folder)
    metrics_csv.cut(folder / "metrics.csv", sum(row.step <= 990 for row in metrics_csv.read(folder / "metrics.csv")))
    second = WandbLog(folder, CONFIG)
    second.start()
    write_points(folder, range(100, 130))
    assert second.finish("failed", {"status": "failed"}) is None
    record = wandb_record.read(folder)
    assert record.id == name
    assert record_rows(record) == file_rows(folder)
    assert record.exit_code == 1
    # and once more: the record is replaced, not joined by another
    third = WandbLog(folder, CONFIG)
    third.start()
    third.finish("done", {"status": "done"})
    record = wandb_record.read(folder)
    assert record_rows(record) == file_rows(folder)
    assert (record.id, record.exit_code) == (name, 0)


def test_disabled_leaves_no_trace(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    log = WandbLog(tmp_path, CONFIG)
    assert log.start() == "W&B: off (WANDB_MODE=disabled)"
    log.points(1, 0, {"a": 1.0})
    assert log.finish("done", SUMMARY) is None
    assert list(tmp_path.iterdir()) == []


def test_points_does_nothing_at_all(tmp_path):
    log = WandbLog(tmp_path, CONFIG)
    log.start()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    log.points(1, 0, {"a": 1.0})
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_an_unwritable_record_is_said_and_does_not_raise(tmp_path, monkeypatch):
    log = WandbLog(tmp_path, CONFIG)
    log.start()
    (tmp_path / "wandb" / "run.json").write_text("{")
    assert log.finish("done", SUMMARY).startswith("W&B: the offline record is not whole (")


def test_a_damaged_figure_costs_no_point(tmp_path):
    log = WandbLog(tmp_path, CONFIG)
    log.start()
    write_points(tmp_path, range(60))
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "curves.png").write_bytes(b"half a pict")
    assert log.finish("done", SUMMARY).startswith("W&B: the offline record is not whole (cannot identify image file")
    record = wandb_record.read(tmp_path)
    assert record_rows(record) == file_rows(tmp_path)
    assert (record.summary["test/accuracy"], record.exit_code) == (0.75, 0)


def test_unknown_upload_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"logger\.upload=all is not known; use curves or data"):
        WandbLog(tmp_path, CONFIG, upload="all")


def test_the_id_is_made_once_and_a_damaged_one_is_replaced(tmp_path):
    made = run_id(tmp_path)
    assert len(made) == 8
    assert run_id(tmp_path) == made
    (tmp_path / "wandb" / "run_id").write_text("../../x")
    assert run_id(tmp_path) != "../../x"


@pytest.mark.parametrize(
    ("path", "sweep"),
    [
        ("outputs/sweeps/lr/3", "lr"),
        ("outputs/sweeps/lr/jobs/3", "lr"),
        ("outputs/2026-01-01/sweeps", None),
        ("sweeps/a/b/c/d", None),
        ("outputs/2026-01-01/12-00-00-lstm", None),
    ],
)
def test_the_group_is_the_sweep(tmp_path, path, sweep):
    assert sweep_of(tmp_path / path) == sweep


def test_tags_fit_and_say_only_what_is_on():
    switches = {"model": "m" * 80, "loss": None, "clip": "none", "init": "default", "debug": "fast", "callbacks": []}
    assert tags(switches) == ["model=" + "m" * 58]


def test_what_the_sending_process_is_told_of_the_environment(tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr(wandb_log.subprocess, "Popen", lambda *_, **given: seen.update(given["env"]))
    monkeypatch.setenv("WANDB_RUN_ID", "of another run")
    monkeypatch.setenv("WANDB_SERVICE", "of another process")
    (tmp_path / "wandb").mkdir()
    wandb_log.launch(tmp_path, "offline", 1.0)
    mine = {name: value for name, value in seen.items() if name.startswith("WANDB_")}
    inside = {name for name, value in mine.items() if value.startswith(str(tmp_path / "wandb" / "work"))}
    assert inside == {"WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR", "WANDB_ARTIFACT_DIR"}
    assert mine.keys() - inside == {"WANDB_BASE_URL", "WANDB_ERROR_REPORTING", "WANDB_QUIET"}
    assert mine["WANDB_ERROR_REPORTING"] == "false"


def test_a_table_of_predictions_is_bounded(tmp_path):
    from assay.review import wandb_send

    (tmp_path / "predictions").mkdir()
    with open(tmp_path / "predictions" / "test.csv", "w", newline="") as file:
        csv.writer(file).writerows([("id", "target"), *((number, "x") for number in range(wandb_send.TABLE_ROWS + 5))])

    class Library:
        @staticmethod
        def Table(columns, data):
            return columns, data

    columns, data = wandb_send._tables(Library, tmp_path)["predictions/test"]
    assert columns == ["id", "target"]
    assert [data[0], data[-1], len(data)] == [["0", "x"], ["9999", "x"], 10_000]


def test_the_numbers_of_a_summary():
    from assay.review import wandb_send

    summary = {"a": 1, "b": {"c": 0.5, "d": {"e": True}}, "f": "text", "g": None, "h": [1], "i": math.nan}
    assert wandb_send._numbers(summary) == {"a": 1, "b/c": 0.5, "b/d/e": True}
    assert json.dumps(wandb_send._numbers(summary))

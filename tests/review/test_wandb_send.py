"""Live sending, against a stand-in host: every point once, in order, and never at the cost of the run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from assay.review import metrics_csv, wandb_log, wandb_send
from assay.review.metrics_csv import MetricsCSV
from assay.review.wandb_log import WandbLog, run_id
from assay.review.wandb_send import Feed, Tail, rows_before
from tests.review.test_wandb_log import SECRET, write_results

CONFIG = {"seed": 0, "name": "mine", "switches": {"model": "lstm"}}


def arrived(lines):
    """The points in lines of history, in the order of their arrival."""
    found = []
    for line in lines:
        values = {k: v for k, v in line.items() if k[0] != "_" and k not in ("trainer/step", "epoch")}
        found += [(line["trainer/step"], name) for name in sorted(values) if not name.startswith("figures/")]
    return found


def in_file(folder):
    """The same of metrics.csv, which the tests write in order of name."""
    return [(row.step, row.name) for row in metrics_csv.read(folder / "metrics.csv")]


def write(folder, steps):
    points = MetricsCSV(folder / "metrics.csv")
    for step in steps:
        points.write(step, step // 30, {"train/loss": 1 / (step + 1)})
        if step % 30 == 20:
            points.write(step, step // 30, {"val/loss": 2 / (step + 1)})
    points.close()


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "a run"
    made.mkdir()
    return made


def test_points_arrive_while_the_run_goes_on_and_the_end_is_told(host, folder):
    log = WandbLog(folder, CONFIG, project="demo", entity="someone")
    assert log.start() == f"W&B: online, project demo at {host.url.removeprefix('http://')}"
    name = run_id(folder)
    write(folder, range(0, 60, 10))
    assert host.wait_for(lambda host: name in host.runs)  # W&B knows of the run while it trains
    assert not host.runs[name].exit_codes
    write(folder, range(60, 100, 10))
    (folder / "figures").mkdir()
    for figure in ("curves", "examples"):
        Image.new("RGB", (2, 2)).save(folder / "figures" / f"{figure}.png")
    line = log.finish("done", {"status": "done", "test/accuracy": 0.5, "reason": "a text"})
    run = host.runs[name]
    assert line == f"W&B: {host.url}/someone/demo/runs/{name}"
    assert arrived(run.received) == in_file(folder)
    assert [run.lines[number] for number in sorted(run.lines)] == run.received
    values = [line["train/loss"] for line in run.received if "train/loss" in line]
    assert values == [row.value for row in metrics_csv.read(folder / "metrics.csv") if row.name == "train/loss"]
    assert run.exit_codes == [0]
    assert run.summary["test/accuracy"] == 0.5
    assert "reason" not in run.summary
    assert (run.upsert["displayName"], run.upsert["jobType"], run.upsert["tags"]) == ("mine", "train", ["model=lstm"])
    assert [line["figures/curves"]["_type"] for line in run.received if "figures/curves" in line] == ["image-file"]
    assert not any("examples" in file for file in run.files)
    assert any(file.startswith("media/images/figures/curves") for file in run.files)
    assert not (folder / "wandb" / "work").exists()
    assert list(Path.home().iterdir()) == []  # no cache, no settings
    assert not list((folder / "wandb").glob("offline-run-*"))


def test_with_upload_data_the_tables_the_artifact_and_the_patch_arrive(host, folder):
    log = WandbLog(folder, CONFIG, upload="data")
    log.start()
    write(folder, range(0, 60, 10))
    write_results(folder)
    assert log.finish("done", {}).startswith("W&B: http")
    run = host.runs[run_id(folder)]
    shown = {key for line in run.received for key in line if key.startswith(("figures/", "predictions/"))}
    assert shown == {"figures/curves", "figures/confusion", "figures/examples", "predictions/test"}
    assert sorted(run.artifacts) == ["model", "run_table"]
    assert b"SOMEONES WORDS" in run.files["source.patch"]
    assert not any(SECRET.encode() in body for _, body in host.requests)


def test_after_a_real_kill_and_a_resume_every_point_is_there_once(host, folder):
    code = """
import sys, time
from pathlib import Path
from assay.review.wandb_log import WandbLog
from tests.review.test_wandb_send import CONFIG, write
folder = Path(sys.argv[1])
WandbLog(folder, CONFIG, project="demo").start()
write(folder, range(0, 80, 10))
print("written", flush=True)
time.sleep(60)
"""
    command = [sys.executable, "-c", code, str(folder)]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert run.stdout.readline() == b"written\n"
    name = run_id(folder)
    assert host.wait_for(lambda host: name in host.runs)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    assert host.wait_for(lambda host: host.runs[name].exit_codes)  # what sends saw it, sent what was there, and ended
    assert host.runs[name].exit_codes == [1]
    assert arrived(host.runs[name].received) == in_file(folder)

    saved = sum(row.step <= 30 for row in metrics_csv.read(folder / "metrics.csv"))
    metrics_csv.cut(folder / "metrics.csv", saved)  # the run is restored at step 30
    log = WandbLog(folder, CONFIG, project="demo")
    log.start()
    write(folder, range(40, 130, 10))
    assert log.finish("done", {}).startswith("W&B: http")
    assert run_id(folder) == name
    assert list(host.runs) == [name]
    assert arrived(host.runs[name].received) == in_file(folder)
    assert host.runs[name].exit_codes == [1, 0]
    steps = [line["_step"] for line in host.runs[name].received]
    assert steps == sorted(set(steps))


def test_a_host_that_falls_silent_costs_the_run_nothing_but_a_bounded_end(host, folder, monkeypatch):
    monkeypatch.setattr(wandb_log, "FINISH_SECONDS", 1.0)
    log = WandbLog(folder, CONFIG)
    log.start()
    assert host.wait_for(lambda host: run_id(folder) in host.runs)
    host.answers = dict.fromkeys(host.answers)
    started = time.monotonic()
    for step in range(1000):
        log.points(step, 0, {"train/loss": 0.5})
    assert time.monotonic() - started < 1.0
    write(folder, range(0, 60, 10))
    line = log.finish("done", {"test/accuracy": 1.0})
    assert line == (
        f"W&B: not everything arrived ({host.url.removeprefix('http://')} did not answer within 1 s); "
        "the offline record is complete, assay sync uploads it"
    )
    assert time.monotonic() - started < 60  # all of it is bounded; wandb alone tries for hours
    assert len(list((folder / "wandb").glob("offline-run-*"))) == 1
    assert not (folder / "wandb" / "sent").exists()


def test_a_host_that_does_not_even_start_the_run_is_cut_off(host, folder, monkeypatch):
    monkeypatch.setattr(wandb_log, "FINISH_SECONDS", 0.5)
    monkeypatch.setattr(wandb_log, "_GRACE_SECONDS", 0.5)
    host.answers["graphql"] = None
    log = WandbLog(folder, CONFIG)
    log.start()
    sender = log._sender
    write(folder, range(0, 60, 10))
    assert log.finish("done", {}).startswith("W&B: not everything arrived (")
    assert sender.poll() is not None
    assert len(list((folder / "wandb").glob("offline-run-*"))) == 1


def test_a_refusal_after_the_start_leaves_the_record_and_one_line(host, folder, monkeypatch):
    monkeypatch.setattr(wandb_log, "FINISH_SECONDS", 3.0)
    host.answers["graphql"] = 403
    log = WandbLog(folder, CONFIG)
    assert log.start().startswith("W&B: online")
    write(folder, range(0, 60, 10))
    line = log.finish("done", {})
    assert line.startswith("W&B: not everything arrived (")
    assert line.endswith("); the offline record is complete, assay sync uploads it")
    assert "\n" not in line
    assert log.finish("done", {}) is None
    assert len(list((folder / "wandb").glob("offline-run-*"))) == 1


# Without a host: which rows are sent, and under which number.


class Library:
    """What a run of wandb does with numbered lines: it takes none below its next step."""

    def __init__(self, step=0):
        self.starting_step = self.step = step
        self.lines = []

    def log(self, line, step, commit):
        assert commit
        assert step >= self.step, "wandb would drop this"
        self.step = step + 1
        self.lines.append(line)


def rows(names_by_step):
    return [metrics_csv.Row(step, 0, name, float(step)) for step, names in names_by_step for name in names]


POINTS = rows([(0, "a"), (10, "ab"), (20, "a"), (20, "a"), (30, "bca"), (40, "a")])


@pytest.mark.parametrize("first", range(len(POINTS) + 1))
@pytest.mark.parametrize("second", range(0, len(POINTS) + 1, 3))
def test_wherever_it_is_cut_every_row_is_sent_once(first, second):
    sent = []
    step = 0
    for end in (first, second, len(POINTS)):  # sends up to here, and is killed; the file may be shorter afterwards
        library = Library(step)
        feed = Feed(library)
        feed.points(POINTS[: end // 2])
        feed.points(POINTS[end // 2 : end])
        sent += library.lines
        step = library.step
    pairs = [(line["trainer/step"], name) for line in sent for name in line if name in "abc"]
    assert sorted(pairs) == sorted((row.step, row.name) for row in POINTS)
    assert [line["trainer/step"] for line in sent] == sorted(line["trainer/step"] for line in sent)
    assert rows_before(step) == len(POINTS)


def test_figures_are_sent_once_for_each_end():
    library = Library()
    for end, times in ((3, 1), (3, 1), (len(POINTS), 2), (len(POINTS), 2)):
        library.starting_step = library.step
        feed = Feed(library)
        feed.points(POINTS[:end])
        feed.figures({"figures/curves": "picture"})
        assert sum("figures/curves" in line for line in library.lines) == times
        assert rows_before(library.step) == end


def test_a_run_without_points_has_no_figures():
    library = Library()
    Feed(library).figures({"figures/curves": "picture"})
    assert library.lines == []


def test_a_row_is_read_when_it_is_whole(tmp_path):
    path = tmp_path / "metrics.csv"
    tail = Tail(path)
    assert tail.new() == []
    path.write_text("step,epoch,na")
    assert tail.new() == []
    path.write_text("step,epoch,name,value\n1,0,a,0.25\n2,0,a,0.1")
    assert tail.new() == [metrics_csv.Row(1, 0, "a", 0.25)]
    with open(path, "a") as file:
        file.write("25\n")
    assert tail.new() == [metrics_csv.Row(2, 0, "a", 0.125)]
    assert tail.new() == []


def test_what_wandb_would_collect_by_itself_is_off():
    class Library:
        Settings = dict

    settings = wandb_send.settings(Library, 5.0)
    off = (
        "disable_code",
        "disable_git",
        "x_disable_meta",
        "x_disable_machine_info",
        "x_disable_stats",
        "label_disable",
    )
    assert all(settings[name] is True for name in off)
    assert (settings["save_code"], settings["x_save_requirements"], settings["console"]) == (False, False, "off")
    assert json.dumps([settings["host"], settings["program"]]) == '["", "assay"]'

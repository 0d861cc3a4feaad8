"""One parent's part in a sweep: what it starts, what it makes of each end, how it stops, and what it shows."""

from __future__ import annotations

import io
import json
import os
import re
import resource
import signal
import time
from pathlib import Path

import pytest

from assay.errors import ConfigError
from assay.sweeps.course import OnError
from assay.sweeps.jobs import warm
from assay.sweeps.ledger.ledger import Ledger
from assay.sweeps.live import Live
from tests.sweeps import made
from tests.sweeps.test_kills import finished_once, processes

FAILS = {"optim__lr": [0.01, 1e39, 0.003]}
LONG = ["trainer.max_epochs=2000"]


@pytest.fixture(autouse=True)
def forked(monkeypatch):
    monkeypatch.setattr(warm, "launch", made.forked)


def states(folder: Path) -> list[str]:
    return [entry.state for entry in Ledger(folder).entries()]


def until(true, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_third_fails_the_rest_is_done_and_the_reasons_are_listed(tmp_path):
    folder, screen = tmp_path / "sweeps" / "a", io.StringIO()
    points = made.planned(tmp_path, seed=[0], **FAILS)
    assert made.go(folder, points, Live(screen)) == 1
    assert states(folder) == ["done", "failed", "done"]
    text = screen.getvalue()
    assert "2 done, 1 failed of 3" in text
    assert re.search(r"^1 optim.lr=1e\+39 seed=0 failed: the loss is not finite: .*try optim.lr=", text, re.MULTILINE)
    assert "the same command tries the failed ones again: train.py -m" in text
    assert "best: 0 optim.lr=0.01 seed=0, val/accuracy" in text
    assert "the loss is not finite" in (folder / "1" / "log.txt").read_text()
    assert json.loads((folder / "1" / "summary.json").read_text())["status"] == "failed"
    assert "the loss is not finite" in Ledger(folder).entry(1).reason
    assert (tmp_path / "latest").resolve() == folder.resolve()
    before = {place: place.stat().st_mtime_ns for place in (folder / "0").rglob("*")}
    assert made.go(folder, points, Live(io.StringIO())) == 1  # the same command: only what failed is tried again
    assert [entry.attempts for entry in Ledger(folder).entries()] == [1, 2, 1]
    assert before == {place: place.stat().st_mtime_ns for place in (folder / "0").rglob("*")}
    assert not list((folder / "workers").iterdir())  # nobody is at work, and nothing was to be said


def test_on_error_says_what_a_failure_means(tmp_path):
    points = made.planned(tmp_path, seed=[0], **{"optim__lr": [1e39, 0.01, 0.003]})
    screen = io.StringIO()
    assert made.go(tmp_path / "stop", points, Live(screen), jobs=1, on_error="stop") == 1
    assert states(tmp_path / "stop") == ["failed", "planned", "planned"]
    assert "0 failed, and sweep.on_error=stop" in screen.getvalue()
    screen = io.StringIO()
    assert made.go(tmp_path / "retry", points[:1], Live(screen), on_error="retry:2") == 1
    assert Ledger(tmp_path / "retry").entry(0).attempts == 3
    assert "try 3 of 3" in screen.getvalue()
    for wrong in ("retry", "retry:0", "ignore"):
        with pytest.raises(ConfigError, match=f"sweep.on_error={wrong} is not known; use continue, stop or retry:N"):
            OnError.of(wrong)


def test_a_bug_in_a_job_leaves_its_trace_in_the_folder(tmp_path):
    points = made.planned(tmp_path, seed=[0])
    points[0].config["log_every"] = "often"  # what no check would have let through
    assert made.go(tmp_path / "a", points, Live(io.StringIO())) == 1
    (entry,) = Ledger(tmp_path / "a").entries()
    assert entry.state == "failed"
    assert re.match(r"[A-Z]\w+Error: ", entry.reason)
    assert "Traceback (most recent call last)" in (entry.folder / "log.txt").read_text()


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_saves_and_stops_and_twice_ends_at_once(tmp_path, times):
    folder = tmp_path / "a"
    points = made.planned(tmp_path, LONG, seed=[0, 1, 2])
    pid = made.parent(folder, points, jobs=2)
    until(lambda: all("epoch 2" in text for text in logs(folder, (0, 1))))
    tree = processes(pid)
    assert len(tree) == 4  # the parent, the warm one, two jobs
    for _ in range(times):
        os.kill(pid, signal.SIGINT)
        time.sleep(0.02)
    assert made.ended(pid) == 130
    until(lambda: not any(Path(f"/proc/{one}").exists() for one in tree))
    assert states(folder) == ["planned"] * 3
    screen = (folder / "screen.txt").read_text()
    assert "the same command continues: train.py -m" in screen
    if times == 1:
        assert all("Stopped at step" in text for text in logs(folder, (0, 1)))
        assert all((folder / f"{number}" / "checkpoints" / "last.ckpt").exists() for number in (0, 1))


def logs(folder: Path, numbers: tuple[int, ...]) -> list[str]:
    places = [folder / f"{number}" / "log.txt" for number in numbers]
    return [place.read_text() if place.exists() else "" for place in places]


def test_two_parents_share_a_sweep(tmp_path):
    folder = tmp_path / "a"
    points = made.planned(tmp_path, seed=[0, 1, 2, 3])
    both = [made.parent(folder, points, jobs=1) for _ in range(2)]
    assert [made.ended(pid) for pid in both] == [0, 0]
    entries = Ledger(folder).entries()
    assert [entry.state for entry in entries] == ["done"] * 4
    assert [entry.attempts for entry in entries] == [1] * 4
    assert len({entry.worker for entry in entries}) == 2
    finished_once(folder)


def test_a_full_disk_is_one_line_and_the_sweep_goes_on_later(tmp_path, monkeypatch):
    folder = tmp_path / "a"
    points = made.planned(tmp_path, seed=[0, 1])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, limits[1]))  # a checkpoint is larger
    try:
        pid = made.parent(folder, points, jobs=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert made.ended(pid) == 1
    screen = (folder / "screen.txt").read_text()
    assert re.search(r"none done of 2 in .*; the disk is full: .* could not be written", screen)
    assert "Traceback" not in screen
    assert states(folder) == ["planned", "planned"]
    assert made.go(folder, points, Live(io.StringIO())) == 0


def test_a_job_that_is_killed_goes_on_and_one_that_always_is_has_failed(tmp_path):
    folder = tmp_path / "a"
    points = made.planned(tmp_path, LONG, seed=[0])
    pid = made.parent(folder, points)
    for attempt in (1, 2, 3):
        until(lambda: Ledger(folder).entries() and Ledger(folder).entry(0).attempts == attempt)  # noqa: B023
        until(lambda: "epoch " in logs(folder, (0,))[0])
        child = next(one for one, up in processes(pid).items() if up not in (pid, processes(pid)[pid]))
        os.kill(child, signal.SIGKILL)
        (folder / "0" / "log.txt").unlink()
    assert made.ended(pid) == 1
    (entry,) = Ledger(folder).entries()
    assert (entry.state, entry.attempts) == ("failed", 3)
    assert "its process was killed (SIGKILL; the kernel does so where memory runs out)" in entry.reason

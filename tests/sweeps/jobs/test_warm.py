"""Jobs of the warm parent are those that a command of their own would have run, bit for bit, whatever ran before."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from assay.sweeps.jobs import warm, warm_server
from assay.sweeps.jobs.executor import Ended
from assay.sweeps.jobs.job import LOST, Job
from tests import interruptions
from tests.conftest import ROOT
from tests.sweeps import made

SIZES = {"data__batch_size": [32, 64]}
DROPS = ["model=mlp", "model.dropout=0.3", "logger=none"]


def job(point, folder: Path, **told) -> Job:
    return Job(int(folder.name), folder, point.config, list(point.overrides), **told)


def collect(executor, count: int, seconds: float = 120.0) -> list[Ended]:
    found: list[Ended] = []
    deadline = time.monotonic() + seconds
    while len(found) < count:
        assert time.monotonic() < deadline, found
        found += executor.ended(1.0)
    return found


def left(folder: Path) -> dict[str, object]:
    """What a run leaves that decides whether it is the same."""
    names = ("metrics.csv", "predictions/test.csv", "predictions/hardest.json", "artifact/weights.safetensors")
    summary = json.loads((folder / "summary.json").read_text())
    timed = ("seconds", "training_seconds", "steps_per_second")
    return {
        **{name: (folder / name).read_bytes() for name in names},
        "summary": {key: value for key, value in summary.items() if key not in timed},
    }


def test_jobs_are_the_same_in_any_order_and_as_a_run_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(warm, "launch", made.forked)
    points = made.planned(tmp_path, DROPS, **SIZES)
    for name, order in (("there", (0, 1)), ("back", (1, 0))):
        executor = warm.Warm(1, [], tmp_path / name)
        try:
            for number in order:
                executor.start(job(points[number], tmp_path / name / str(number), threads=1))
                (end,) = collect(executor, 1)
                assert (end.number, end.code, end.reason) == (number, 0, "")
        finally:
            executor.close()
    assert left(tmp_path / "there" / "0") == left(tmp_path / "back" / "0")
    assert left(tmp_path / "there" / "1") == left(tmp_path / "back" / "1")
    interruptions.train(points[1], tmp_path / "alone")
    assert left(tmp_path / "alone") == left(tmp_path / "there" / "1")


@pytest.mark.slow
@pytest.mark.parametrize("words", [DROPS, ["model=cnn", "augment=mixup", "normalization=batch"], ["model=lstm"]])
def test_a_second_job_is_bit_for_bit_the_run_of_train_py(tmp_path, words):
    """With the warm parent as users start it."""
    points = made.planned(tmp_path, words, **SIZES)
    executor = warm.Warm(1, [], tmp_path / "there")
    try:
        for number in (0, 1):
            executor.start(job(points[number], tmp_path / "there" / str(number), threads=1))
            (end,) = collect(executor, 1, 300.0)
            assert (end.number, end.code, end.reason) == (number, 0, "")
    finally:
        executor.close()
    assert (tmp_path / "there" / "server.txt").read_text() == ""
    words = [one for one in points[1].overrides if not one.startswith("outputs=")]
    command = [sys.executable, str(ROOT / "train.py"), *words, f"outputs={tmp_path / 'alone'}"]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    (alone,) = (tmp_path / "alone").glob("*-*-*/*")
    assert left(alone) == left(tmp_path / "there" / "1")


class Leaky:
    """A server whose jobs leave traces and tell what they find."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def work(self, job: Job) -> tuple[int, str]:
        import logging
        import warnings

        import numpy

        found = {
            "draws": [random.random(), float(numpy.random.rand())],
            "torch": torch.random.initial_seed(),
            "environment": os.environ.get("LEFT"),
            "threads": torch.get_num_threads(),
            "handlers": [len(logging.getLogger().handlers), len(warnings.filters)],
            "signals": [str(signal.getsignal(number)) for number in (signal.SIGCHLD, signal.SIGALRM)],
            "argv": sys.argv[0],
            "files": sorted(os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if open_(fd)),
            "module": getattr(json, "left", None),
            "directory": os.getcwd(),
            "session": os.getsid(0) == os.getpid(),
        }
        self.folder.joinpath(f"{job.number}.json").write_text(json.dumps(found))
        random.seed(0), numpy.random.seed(0), torch.manual_seed(1)
        os.environ["LEFT"], sys.argv[0], json.left = "here", "changed", 1  # type: ignore[attr-defined]
        torch.set_num_threads(3)
        torch.rand(200_000).exp()  # makes a pool of threads, in this process
        logging.getLogger().addHandler(logging.NullHandler())
        warnings.simplefilter("ignore")
        signal.signal(signal.SIGALRM, lambda number, frame: None)
        os.chdir("/")
        self.file = open(self.folder / "left.txt", "w")  # noqa: SIM115
        return 0, ""


def open_(fd: str) -> bool:
    try:
        return not os.readlink(f"/proc/self/fd/{fd}").startswith("/proc")
    except OSError:
        return False


def test_nothing_leaks_from_a_job_into_the_next(tmp_path, monkeypatch):
    """Random state, environment, threads, files, handlers, modules, directory: as the job before found them."""
    monkeypatch.setattr(warm, "launch", made.forked)
    monkeypatch.setattr(warm_server, "work", Leaky(tmp_path).work)
    (point,) = made.planned(tmp_path)
    executor = warm.Warm(1, [], tmp_path / "workers")
    try:
        for number in (1, 2, 3):
            executor.start(job(point, tmp_path / str(number)))
            collect(executor, 1)
    finally:
        executor.close()
    first, second, third = (json.loads((tmp_path / f"{number}.json").read_text()) for number in (1, 2, 3))
    draws = [found.pop("draws") for found in (first, second, third)]
    assert len({draw for pair in draws for draw in pair}) == 6  # Python's and NumPy's are seeded by the system
    for found, number in ((first, 1), (second, 2), (third, 3)):
        found["files"] = [one.replace(f"/{number}/", "/N/").partition(":")[0] for one in found["files"]]
        assert found["session"]
    assert first == second == third


def test_the_jobs_stop_when_the_warm_parent_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(warm, "launch", made.forked)
    points = made.planned(tmp_path, ["trainer.max_epochs=2000"], seed=[0, 1])
    executor = warm.Warm(2, [], tmp_path / "workers")
    try:
        for number, point in enumerate(points):
            executor.start(job(point, tmp_path / str(number)))
        logs = [tmp_path / str(number) / "log.txt" for number in (0, 1)]
        while not all(log.exists() and "epoch 2" in log.read_text() for log in logs):
            time.sleep(0.05)
        os.kill(executor.server.pid, signal.SIGKILL)
        ends = collect(executor, 2)
        assert {(end.number, end.code) for end in ends} == {(0, LOST), (1, LOST)}
        deadline = time.monotonic() + 60
        while not all("Stopped at step" in log.read_text() for log in logs):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert all((log.parent / "checkpoints" / "last.ckpt").exists() for log in logs)
    finally:
        executor.close()


def test_what_may_not_be_forked_is_a_plain_process_and_it_is_said(tmp_path, monkeypatch):
    started: list[int] = []
    executor = warm.Warm(1, [], tmp_path / "workers")
    monkeypatch.setattr(executor.plain, "start", lambda job: started.append(job.number))
    ddp = {"trainer": {"strategy": "ddp", "devices": 2, "accelerator": "cpu"}}
    executor.start(Job(3, tmp_path / "3", ddp, []))
    assert started == [3]
    assert executor.server is None
    assert executor.notes == [
        "jobs start as plain processes, which takes seconds each: a GPU or several processes do not survive a fork"
    ]
    executor.refused = "the warm parent has 3 threads"
    executor.start(Job(4, tmp_path / "4", {"trainer": {"accelerator": "cpu", "devices": 1}}, []))
    assert started == [3, 4]
    assert executor.notes[1:] == [
        "jobs start as plain processes, which takes seconds each: the warm parent has 3 threads"
    ]


def test_a_warm_parent_that_cannot_live_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(warm, "launch", lambda paths, place: made.Forked(lambda told, says: 7, tmp_path / "out.txt"))
    (point,) = made.planned(tmp_path)
    executor = warm.Warm(1, [], tmp_path / "workers")
    started: list[int] = []
    monkeypatch.setattr(executor.plain, "start", lambda job: started.append(job.number))
    for attempt in range(10):
        executor.start(job(point, tmp_path / "0"))
        if started:
            break
        assert [end.code for end in collect(executor, 1)] == [LOST], attempt
    assert started == [0]
    assert "died" in executor.notes[0]
    executor.close()


def test_modules_that_a_job_had_to_import_are_there_for_the_next(tmp_path, monkeypatch):
    server = warm_server.Server(0, os.open(os.devnull, os.O_WRONLY))
    loaded: list[list[str]] = []
    monkeypatch.setattr(warm_server, "load", loaded.append)
    server.known = {"assay"}
    server.learn(["assay", "assay.figures"])
    server.learn(["assay.figures"])
    assert loaded == [["assay.figures"], []]
    assert not warm_server._may_be_imported("mypackage.models")  # a user's: whatever it does, it does in a job


@pytest.mark.parametrize("code", [3, -9])
def test_how_a_process_ended_is_told(tmp_path, monkeypatch, code):
    def end(job: Job) -> tuple[int, str]:
        if code < 0:
            os.kill(os.getpid(), -code)
        return code, "because"

    monkeypatch.setattr(warm, "launch", made.forked)
    monkeypatch.setattr(warm_server, "work", end)
    (point,) = made.planned(tmp_path)
    executor = warm.Warm(1, [], tmp_path / "workers")
    try:
        executor.start(job(point, tmp_path / "5"))
        (said,) = collect(executor, 1)
    finally:
        executor.close()
    assert (said.number, said.code, said.reason) == (5, code, "because" if code > 0 else "")

"""Jobs as plain processes, which are told what to train on stdin and end with who told them."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from assay.sweeps.jobs import plain
from assay.sweeps.jobs.job import Job
from assay.sweeps.jobs.plain import Plain, environment

JOB = '''"""In place of the module that trains: what it does is in the config."""
import json, os, signal, sys, time
job = json.loads(sys.stdin.readline())
asked = job["config"]["do"]
open(os.path.join(job["folder"], "began"), "w").close()
if asked == "wait":
    sys.stdin.read()
    open(os.path.join(job["folder"], "left"), "w").close()
elif asked == "sleep":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    time.sleep(60)
elif asked == "die":
    os.kill(os.getpid(), signal.SIGKILL)
else:
    print(json.dumps({"reason": f"{asked} {os.getsid(0) == os.getpid()}"}))
    sys.exit(asked)
'''


@pytest.fixture
def executor(tmp_path):
    """An executor whose jobs are those of JOB."""
    package = tmp_path / "source" / "assay" / "sweeps" / "jobs"
    package.mkdir(parents=True)
    for place in (package, package.parent, package.parent.parent):
        (place / "__init__.py").touch()
    (package / "job.py").write_text(JOB)
    made = Plain(2, [tmp_path / "source"])
    yield made
    made.close()


def started(executor, tmp_path, number: int, asked: object) -> Path:
    where = tmp_path / str(number)
    where.mkdir()
    executor.start(Job(number, where, {"do": asked}, []))
    return where


def until(true) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def all_of(executor, count: int):
    found = []
    until(lambda: found.extend(executor.ended(1.0)) or len(found) >= count)
    return sorted(found, key=lambda one: one.number)


def test_codes_and_reasons_of_several(executor, tmp_path):
    for number, asked in enumerate((0, 3, "die")):
        started(executor, tmp_path, number, asked)
    ends = all_of(executor, 3)
    assert [(end.number, end.code, end.reason) for end in ends] == [(0, 0, "0 True"), (1, 3, "3 True"), (2, -9, "")]
    assert all(end.seconds > 0 for end in ends)
    assert executor.ended(0.0) == []
    assert executor.running == {}


def test_asked_to_stop_it_may_save_and_told_to_it_ends(executor, tmp_path):
    places = [started(executor, tmp_path, number, "sleep") for number in (0, 1)]
    until(lambda: all((place / "began").exists() for place in places))
    time.sleep(0.2)
    executor.stop(hard=False)
    assert [end.code for end in all_of(executor, 2)] == [143, 143]
    place = started(executor, tmp_path, 2, "sleep")
    until((place / "began").exists)
    executor.stop(hard=True)
    assert [end.code for end in all_of(executor, 1)] == [-9]


def test_a_job_hears_that_its_starter_has_gone(tmp_path, executor):
    place = tmp_path / "0"
    if (pid := os.fork()) == 0:
        started(executor, tmp_path, 0, "wait")
        time.sleep(60)
        os._exit(0)
    until((place / "began").exists)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    until((place / "left").exists)


def test_the_snapshot_is_looked_at_first(tmp_path):
    found = environment([tmp_path])["PYTHONPATH"].split(os.pathsep)
    assert found[0] == str(tmp_path)
    assert [path for path in sys.path if path and path not in found] == []
    assert json.dumps(found)
    assert plain.POLL < plain.GRACE


@pytest.mark.slow
def test_a_real_job_as_a_plain_process(tmp_path):
    from tests.sweeps import made

    (point,) = made.planned(tmp_path)
    executor = Plain(1)
    executor.start(Job(0, tmp_path / "0", point.config, list(point.overrides), threads=1))
    (end,) = all_of(executor, 1)
    assert (end.code, end.reason) == (0, "")
    assert json.loads((tmp_path / "0" / "summary.json").read_text())["status"] == "done"

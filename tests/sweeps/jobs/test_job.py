"""One job: what it is told and how, and what it makes of its folder."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from assay import folder
from assay.errors import ConfigError
from assay.loops import start
from assay.sweeps.jobs import job as jobs
from assay.sweeps.jobs.job import DONE, FAILED, NO_ROOM, REFUSED, Job, reason_of, work

CONFIG = {"model": {"_target_": "assay.models.mlp.MLP"}, "trainer": {"accelerator": "cpu"}, "seed": 0}


@pytest.fixture
def job(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "_current", None)
    monkeypatch.setattr(sys, "argv", ["pytest"])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    where = tmp_path / "3"
    where.mkdir()
    return Job(3, where, CONFIG, ["seed=0", "name='ä b'"], threads=2, command=["train.py", "-m"], extra={"trial": 7})


def running(monkeypatch, run) -> None:
    monkeypatch.setattr(start, "run", run)


def test_a_job_is_told_as_one_line_of_json(job):
    line = job.to_json()
    assert "\n" not in line
    assert Job.from_json(line) == job


def test_what_a_job_is_lent_and_knows(job, monkeypatch):
    seen = {}

    def run(config, overrides, where, composer, *, resume):
        seen.update(threads=os.environ["OMP_NUM_THREADS"], argv=list(sys.argv), job=jobs.current())
        seen.update(config=config, overrides=overrides, where=where, resume=resume)
        assert folder.read_config(where)["seed"] == 0
        assert folder.read_overrides(where) == job.overrides

    running(monkeypatch, run)
    assert jobs.current() is None
    assert work(job) == (DONE, "")
    assert seen == {
        "threads": "2",
        "argv": ["train.py", "-m"],
        "job": job,
        "config": CONFIG,
        "overrides": job.overrides,
        "where": job.folder,
        "resume": True,
    }


def test_a_run_that_is_done_is_not_trained_again(job, monkeypatch):
    (job.folder / "summary.json").write_text(json.dumps({"status": "done"}))
    running(monkeypatch, lambda *told, **more: pytest.fail("trained again"))
    assert work(job) == (DONE, "")
    assert not (job.folder / "config.yaml").exists()


def refuse(*told, **more):
    raise ConfigError("no such thing")


def fail(*told, **more):
    from assay.failures import Failed

    raise Failed("the loss is not finite")


def break_(*told, **more):
    raise ZeroDivisionError("by   zero\nagain")


def fill(*told, **more):
    raise OSError(errno.ENOSPC, "No space left on device", "metrics.csv")


def fill_later(*told, **more):
    from assay.failures import Failed

    raise Failed("the disk is full: x could not be written") from OSError(errno.EDQUOT, "quota")


def stop(*told, **more):
    from assay.recorder import Stopped

    raise Stopped(signal.SIGTERM)


@pytest.mark.parametrize(
    ("run", "code", "reason", "noted"),
    [
        (refuse, REFUSED, "no such thing", True),
        (fail, FAILED, "the loss is not finite", True),
        (break_, FAILED, "ZeroDivisionError: by zero again", True),
        (fill, NO_ROOM, "the disk is full: metrics.csv could not be written", False),
        (fill_later, NO_ROOM, "the disk is full: x could not be written", True),
        (stop, 128 + signal.SIGTERM, "", False),
    ],
)
def test_how_a_run_ends_is_a_code_and_a_reason(job, monkeypatch, capsys, run, code, reason, noted):
    running(monkeypatch, run)
    assert work(job) == (code, reason)
    kept = json.loads((job.folder / "summary.json").read_text()) if (job.folder / "summary.json").exists() else {}
    assert kept == ({"format": 1, "status": "failed", "reason": reason, "steps": 0} if noted else {})
    assert ("Traceback" in capsys.readouterr().err) == (run is break_)


def test_what_a_run_said_of_its_end_stays(job, monkeypatch):
    told = {"status": "failed", "reason": "out of memory", "steps": 12}

    def run(*words, **more):
        (job.folder / "summary.json").write_text(json.dumps(told))
        fail()

    running(monkeypatch, run)
    assert work(job)[0] == FAILED
    assert json.loads((job.folder / "summary.json").read_text()) == told


def test_a_signal_outside_the_steps_ends_the_job(job, monkeypatch):
    running(monkeypatch, lambda *told, **more: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    assert work(job) == (128 + signal.SIGTERM, "")
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_job_waits_for_who_still_writes_to_its_folder(job, monkeypatch):
    calls = []
    monkeypatch.setattr(jobs, "WAIT", 0.0)
    monkeypatch.setattr(folder, "is_running", lambda where: calls.append(where) or len(calls) < 4)
    running(monkeypatch, lambda *told, **more: None)
    assert work(job) == (DONE, "")
    assert calls == [job.folder] * 4


def test_reasons():
    assert reason_of({"reason": "x"}, 1) == "x"
    assert reason_of({}, -15) == "its process was killed (SIGTERM)"
    assert reason_of({}, -9) == "its process was killed (SIGKILL; the kernel does so where memory runs out)"
    assert reason_of({}, 7) == "its process ended with exit code 7; log.txt may say more"


def test_no_torch_before_it_works():
    ours = "assay.sweeps.jobs.job, assay.sweeps.course"
    code = f"import sys, {ours}; print([name for name in ('torch', 'rich') if name in sys.modules])"
    source = str(Path(jobs.__file__).parents[3])
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": source}, capture_output=True)
    assert done.stdout == b"[]\n", done.stderr

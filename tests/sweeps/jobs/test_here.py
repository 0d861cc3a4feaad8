"""Jobs in the sweep's own process, which others follow."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from assay.sweeps.jobs import here
from assay.sweeps.jobs.here import Here
from assay.sweeps.jobs.job import Job

DDP = {"strategy": "ddp", "devices": 2, "num_nodes": 1, "accelerator": "cpu"}
TORCHRUN = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29400"}


def job(number: int) -> Job:
    return Job(number, Path(str(number)), {}, [])


def test_it_is_needed_where_others_were_started_from_outside(monkeypatch):
    for name in TORCHRUN:
        monkeypatch.delenv(name, raising=False)
    assert not here.is_needed({"devices": 1, "accelerator": "cpu"})
    assert not here.is_needed(DDP)  # starts its own processes, for each run anew
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    assert here.is_needed(DDP)


def test_jobs_run_one_after_the_other(monkeypatch):
    done = []
    monkeypatch.setattr(here, "work", lambda job: done.append(job.number) or (job.number, "why"))
    executor = Here()
    assert executor.slots == 1
    assert executor.ended(0.0) == []
    executor.start(job(3))
    (end,) = executor.ended(0.0)
    assert (end.number, end.code, end.reason, done) == (3, 3, "why", [3])
    assert executor.ended(0.0) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_stopped_a_job_is_for_the_sweep_too(monkeypatch, number):
    heard = []
    before = signal.signal(number, lambda number, frame: heard.append(number))
    try:
        monkeypatch.setattr(here, "work", lambda job: (128 + number, ""))
        executor = Here()
        executor.start(job(0))
        assert [end.code for end in executor.ended(0.0)] == [128 + number]
    finally:
        signal.signal(number, before)
    assert heard == [number]

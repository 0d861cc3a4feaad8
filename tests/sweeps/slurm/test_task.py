"""One task: how its point ends in the ledger, when it queues again; then real ones, stopped by the clock."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

import assay
from assay.folder import write_json
from assay.sweeps.jobs.job import NO_ROOM
from assay.sweeps.ledger.ledger import Ledger
from assay.sweeps.slurm import queue
from assay.sweeps.slurm import task as module
from tests.sweeps.slurm_sweeps import WORDS, submitted


@pytest.fixture
def task(slurm, tmp_path, monkeypatch):
    """``task(ends)`` runs the task of a submitted point in this process; ``ends`` stands for the run. ((code, ledger's
    entry) is returned."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR2)}
    monkeypatch.setattr(module, "into_log", lambda where: where.mkdir(exist_ok=True))
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "100")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "1")
    monkeypatch.setattr(module, "PATIENCE", 0.0)

    def run(ends, on_error="continue", requeue=10):
        ledger = submitted(tmp_path / "sweep", [0, 1], on_error=on_error, requeue=requeue)
        monkeypatch.setattr(module, "work", ends)
        code = module.main([str(ledger.folder), "0"])
        return code, Ledger(ledger.folder).entry(1)

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


def finishing(job):
    write_json(job.folder / "summary.json", {"format": 1, "status": "done", "test/accuracy": 0.75, "monitor": "m"})
    return 0, ""


def stopped(number):
    """A run that is told to stop while it trains, and saves: as assay.surroundings and sweeps.jobs.job have it."""

    def work(job):
        heard = []
        before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
        os.kill(os.getpid(), number)
        until = time.monotonic() + 5
        while not heard and time.monotonic() < until:
            time.sleep(0.01)
        signal.signal(signal.SIGTERM, before)
        return 128 + heard[0], ""

    return work


def test_a_finished_point_is_entered_with_its_scores(task, slurm):
    code, entry = task(finishing)
    assert (code, entry.state, entry.metrics, entry.attempts) == (0, "done", {"test/accuracy": 0.75}, 1)
    assert slurm.calls("scontrol") == []


def test_a_failed_one_with_its_reason(task):
    code, entry = task(lambda job: (1, "ValueError: no luck"))
    assert (code, entry.state, entry.reason) == (1, "failed", "ValueError: no luck")


def test_a_full_disk_is_no_verdict(task):
    code, entry = task(lambda job: (NO_ROOM, "the disk is full"))
    assert (code, entry.state) == (NO_ROOM, "planned")


def test_at_its_time_limit_it_saves_and_queues_again(task, slurm):
    code, entry = task(stopped(signal.SIGUSR2))
    assert (code, entry.state) == (0, "planned")
    assert slurm.calls("scontrol") == [["requeue", "100_1"]]


def test_it_stays_out_of_the_queue_after_so_many_times(task, slurm, monkeypatch, capsys):
    monkeypatch.setenv("SLURM_RESTART_COUNT", "2")
    code, entry = task(stopped(signal.SIGUSR2), requeue=2)
    assert (code, entry.state) == (143, "planned")
    assert slurm.calls("scontrol") == []
    assert "reached the time limit 3 times: the same command submits it again" in capsys.readouterr().err


def test_a_preempted_one_queues_again_and_one_that_was_cancelled_does_not(task, slurm, tmp_path):
    code, entry = task(stopped(signal.SIGTERM))  # scancel, by hand
    assert (code, entry.state) == (143, "planned")
    assert [words[0] for words in slurm.calls("scontrol")] == ["--oneliner"]
    slurm.set("100", 1, preempted="2026-11-21T19:00:00")
    code, entry = task(stopped(signal.SIGTERM))
    assert (code, entry.state, entry.attempts) == (0, "planned", 2)
    assert slurm.calls("scontrol")[-1] == ["requeue", "100_1"]
    (tmp_path / "sweep" / "slurm" / queue.CANCELLED).touch()
    code, _ = task(stopped(signal.SIGUSR2))
    assert code == 143
    assert len([words for words in slurm.calls("scontrol") if words[0] == "requeue"]) == 1


def test_a_signal_before_the_run_can_hear_it_begins_nothing(task, slurm, monkeypatch):
    def told_early(where):
        os.kill(os.getpid(), signal.SIGUSR2)
        time.sleep(0.1)

    monkeypatch.setattr(module, "into_log", told_early)
    code, entry = task(finishing)
    assert (code, entry.state, entry.metrics) == (0, "planned", {})
    assert slurm.calls("scontrol") == [["requeue", "100_1"]]


def test_a_point_of_another_is_left_alone(task):
    code, entry = task(finishing)
    assert (code, entry.attempts) == (0, 1)
    code, entry = task(lambda job: pytest.fail("it ran twice"))
    assert (code, entry.attempts) == (0, 1)


def test_retries_are_processes_of_their_own(task, monkeypatch):
    begun = []
    monkeypatch.setattr(os, "execv", lambda *words: begun.append(os.environ["ASSAY_TRIES"]))
    monkeypatch.delenv("ASSAY_TRIES", raising=False)
    _, entry = task(lambda job: (1, "no luck"), on_error="retry:2")
    assert (begun, entry.state) == (["1"], "planned")
    _, entry = task(lambda job: (1, "no luck"), on_error="retry:2")
    _, entry = task(lambda job: (1, "no luck"), on_error="retry:2")
    assert (begun, entry.state) == (["1", "2"], "failed")
    monkeypatch.delenv("ASSAY_TRIES")


def test_on_error_stop_empties_the_queue(task, slurm):
    _, entry = task(lambda job: (1, "no luck"), on_error="stop")
    assert entry.state == "failed"
    assert slurm.calls("scancel") == [["100_0"]]
    assert slurm.tasks("100")["0"]["state"] == "CANCELLED"


def weights(folder):
    return (folder / "artifact" / "weights.safetensors").read_bytes()


@pytest.mark.slow
def test_a_run_that_meets_its_limit_twice_ends_with_the_bits_of_one_that_does_not(slurm, tmp_path):
    """Through the script, srun's stand-in and a real process: USR2 in the middle, requeued, in the same folder."""
    words = ("trainer.max_epochs=12", "log_every=5")
    plain = assay.train(*WORDS, *words, "seed=0", f"outputs={tmp_path / 'plain'}").folder
    ledger = submitted(tmp_path / "sweep", [0], *words)
    for limit in (True, True, False):
        process = slurm.start("100", 0)
        if limit:
            metrics = ledger.folder / "0" / "metrics.csv"
            before = metrics.stat().st_size if metrics.exists() else 0
            until = time.monotonic() + 120
            while time.monotonic() < until and not (metrics.exists() and metrics.stat().st_size > before + 300):
                time.sleep(0.05)
            slurm.signal("100", 0, signal.SIGUSR2)
        assert process.wait(600) == 0
        slurm.ended("100", 0)
        assert slurm.tasks("100")["0"]["state"] == ("PENDING" if limit else "COMPLETED")
        assert ledger.entry(0).state == ("planned" if limit else "done")
    assert ledger.entry(0).attempts == 3
    assert weights(ledger.folder / "0") == weights(plain)
    assert (ledger.folder / "0" / "metrics.csv").read_bytes() == (plain / "metrics.csv").read_bytes()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")  # its Popen
def test_the_same_with_submitits_own_local_executor_and_its_clock(tmp_path, monkeypatch):
    """Its controller sends USR2 ahead of the limit and starts the command again for exit code 144."""
    for name in [name for name in os.environ if name.startswith(("SLURM_", "SUBMITIT_"))]:
        monkeypatch.delenv(name)
    words = ("trainer.max_epochs=1500", "data.batch_size=8")
    changes = {"cluster": "local", "timeout_min": 3, "signal_delay_s": 140, "cpus_per_task": 1}  # USR2 after 40 s
    ledger = submitted(tmp_path / "sweep", [0], *words, **changes)
    held = queue.queued(ledger.folder)
    assert [(one.number, one.state) for one in held.values()] == [(0, "RUNNING")]
    until = time.monotonic() + 200
    while time.monotonic() < until and ledger.entry(0).attempts < 2:
        time.sleep(0.5)
    entry = ledger.entry(0)
    assert entry.attempts == 2, [path.read_text()[-2000:] for path in (ledger.folder / "slurm").glob("*.err")]
    resumes = json.loads((ledger.folder / "0" / "environment.json").read_text())
    assert not list((ledger.folder / "slurm").rglob("*.pkl"))
    from assay.sweeps.cancel import cancel_command

    cancel_command(str(ledger.folder))
    until = time.monotonic() + 60
    while time.monotonic() < until and ledger.entry(0).state == "running":
        time.sleep(0.5)
    assert ledger.entry(0).state == "planned"
    assert "directory" in resumes

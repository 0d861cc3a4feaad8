"""`assay cancel`: what waits leaves the queue, what runs saves and stops; here, on SLURM, and elsewhere it says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assay.cli import main
from assay.folder import read_config
from assay.sweeps.cancel import cancel_command
from assay.sweeps.ledger.ledger import Ledger
from assay.sweeps.slurm import queue
from tests.sweeps.slurm_sweeps import submitted
from tests.sweeps.test_status import ledger_of

ROOT = Path(__file__).resolve().parents[2]

WORKER = """
import signal, sys, time
from assay.sweeps.ledger.ledger import Ledger
heard = []
signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
ledger = Ledger(sys.argv[1])
with ledger.at_work() as worker:
    ledger.claim(0, worker)
    print("at work", flush=True)
    while not heard:
        time.sleep(0.02)
    time.sleep(float(sys.argv[2]))
    ledger.finish(0, "planned")
"""


def worker(folder, seconds=0.0):
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "at work\n"
    return process


def test_a_worker_of_this_machine_is_told_and_waited_for(tmp_path, capsys):
    ledger = ledger_of(tmp_path / "s", 2)
    process = worker(ledger.folder, 0.5)
    assert cancel_command(str(ledger.folder)) == 0
    assert ledger.entry(0).state == "planned"  # so it had come to its end when the command returned
    assert process.wait(10) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "1 process of this machine told to save and stop"
    assert said[1] == "0 of 2 done; the same command goes on"
    process.stdout.close()


def test_one_that_does_not_stop_is_named(tmp_path, capsys):
    ledger = ledger_of(tmp_path / "s", 1)
    process = worker(ledger.folder, 30)
    assert cancel_command(str(ledger.folder), wait=0.3) == 1
    assert "has not stopped within 0.3 s" in capsys.readouterr().err
    process.kill()
    process.communicate()


def test_one_of_another_machine_is_named_and_left_alone(tmp_path, capsys):
    ledger = ledger_of(tmp_path / "s", 1)
    with ledger.at_work("far-1") as name:
        lock = ledger.folder / "workers" / name / ".lock"
        with open(lock, "r+") as file:
            file.truncate()
            file.write(f"process {os.getpid()} of far\n")
        assert cancel_command(str(ledger.folder)) == 1
    assert "far-1 works on another machine (far): stop it there, with Ctrl-C" in capsys.readouterr().out


def test_where_nobody_is_it_says_so(tmp_path, capsys):
    assert main(["cancel", str(ledger_of(tmp_path / "s", 1).folder)]) == 0
    assert capsys.readouterr().out.startswith("nobody is at work on")
    assert main(["cancel", "nothing"]) == 2


def test_what_waits_leaves_the_queue_and_what_runs_is_told_by_slurm(slurm, tmp_path, capsys):
    ledger = submitted(tmp_path / "s", [0, 1, 2])
    process = subprocess.Popen(["sleep", "60"])
    slurm.set("100", 2, state="RUNNING", node="node7", pid=process.pid)
    capsys.readouterr()
    assert cancel_command(str(ledger.folder)) == 0
    assert slurm.calls("scancel") == [["100_0", "100_1"], ["--signal=TERM", "100_2"]]
    assert process.wait(10) == -signal.SIGTERM
    assert (ledger.folder / "slurm" / queue.CANCELLED).exists()
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["2 points taken out of SLURM's queue", "1 point on SLURM told to save and stop"]
    slurm.set("100", 2, state="COMPLETED")
    submitted(tmp_path / "s", [0, 1, 2])
    assert not (ledger.folder / "slurm" / queue.CANCELLED).exists()
    assert slurm.tasks("101").keys() == {"0", "1", "2"}


def test_a_queue_that_does_not_answer_is_said(slurm, tmp_path, capsys):
    ledger = submitted(tmp_path / "s", [0])
    (tmp_path / "slurm commands" / "scancel").unlink()
    capsys.readouterr()
    cancel_command(str(ledger.folder))
    assert "SLURM was not told: there is no scancel on this machine" in capsys.readouterr().out


@pytest.mark.slow
def test_a_real_sweep_is_cancelled_and_the_same_command_goes_on(tmp_path):
    outputs = tmp_path / "outputs"
    words = ["-m", "model=mlp", "seed=0,1", "trainer.max_epochs=400", "logger=none", f"outputs={outputs}", "name=s"]
    command = [sys.executable, str(ROOT / "train.py"), *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    sweep = outputs / "sweeps" / "s"
    until = time.monotonic() + 180
    while time.monotonic() < until and not list(sweep.glob("*/checkpoints/*.ckpt")) and process.poll() is None:
        time.sleep(0.2)
    assert cancel_command(str(sweep)) == 0
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 143, said
    ledger = Ledger(sweep)
    assert [entry.state for entry in ledger.entries()] == ["planned", "planned"]
    begun = [entry for entry in ledger.entries() if entry.attempts]
    assert begun
    command.append("sweep.source=snapshot")  # whoever edits the source meanwhile
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [entry.state for entry in Ledger(sweep).entries()] == ["done", "done"]
    assert read_config(sweep / "0")["trainer"]["max_epochs"] == 400

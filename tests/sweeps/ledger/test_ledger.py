"""The ledger: numbers, claims, outcomes; kills at every point; and what is left when the file is lost."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from assay import folder
from assay.sweeps.ledger.ledger import JOURNAL, Ledger, Planned

CLAIMS = """
import sys, time
from assay.sweeps.ledger.ledger import Ledger
ledger = Ledger(sys.argv[1])
with ledger.at_work() as worker:
    print("ready", flush=True)
    sys.stdin.readline()
    for entry in ledger.entries():
        if ledger.claim(entry.number, worker):
            print(entry.number, flush=True)
            if sys.argv[2] == "finish":
                ledger.finish(entry.number, "done", metrics={"val/accuracy": 0.5}, seconds=1.0)
    if sys.argv[2] == "wait":
        print("waiting", flush=True)
        time.sleep(60)
"""


def point(seed: int, lr: float = 0.1, **cell: str) -> Planned:
    config = {"seed": seed, "optim": {"lr": lr}, "switches": {}}
    return Planned(config, (f"seed={seed}", f"optim.lr={lr}"), cell or {"optim.lr": str(lr)}, seed)


def worker(sweep: Path, how: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", CLAIMS, str(sweep), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def ended(sweep: Path, number: int, **facts: object) -> None:
    (sweep / str(number)).mkdir(exist_ok=True)
    summary = {"format": 1, "status": "done", "val/accuracy": 0.75, "seconds": 3.5, "exact": True, **facts}
    folder.write_json(sweep / str(number) / "summary.json", summary)


def states(ledger: Ledger) -> list[str]:
    return [entry.state for entry in ledger.entries()]


def test_numbers_are_stable_and_a_sweep_that_is_extended_goes_on_counting(tmp_path):
    ledger = Ledger(tmp_path)
    first = ledger.plan([point(0), point(1)])
    assert [entry.number for entry in first] == [0, 1]
    again = Ledger(tmp_path).plan([point(2), point(1), point(0, 0.2), point(0)])
    assert [entry.number for entry in again] == [2, 1, 3, 0]
    assert again[3] == first[0]
    assert ledger.entries() == Ledger(tmp_path).entries()
    assert [entry.number for entry in ledger.entries()] == [0, 1, 2, 3]


def test_a_point_that_is_planned_twice_at_once_is_one(tmp_path):
    assert [entry.number for entry in Ledger(tmp_path).plan([point(0), point(0), point(1)])] == [0, 0, 1]


def test_a_known_point_is_found_by_the_axes_it_has_now(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.plan([point(0, model="mlp")])
    number = ledger.plan([point(0, optim="adam")])[0].number
    assert ledger.entry(number).cell == {"model": "mlp", "optim": "adam"}
    size = (tmp_path / JOURNAL).stat().st_size
    ledger.plan([point(0, optim="adam")])
    assert (tmp_path / JOURNAL).stat().st_size == size


def test_a_point_from_its_claim_to_its_end(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.plan([point(3)])
    with ledger.at_work() as me:
        assert ledger.workers() == [me]
        assert ledger.claim(0, me)
        assert not ledger.claim(0, me)
        entry = ledger.entry(0)
        assert (entry.state, entry.attempts, entry.worker, entry.folder) == ("running", 1, me, tmp_path / "0")
        assert entry.folder.is_dir()
        ledger.finish(0, "done", metrics={"val/accuracy": 0.1 + 0.2}, seconds=2.0)
    entry = Ledger(tmp_path).entry(0)
    assert (entry.state, entry.metrics, entry.seconds) == ("done", {"val/accuracy": 0.1 + 0.2}, 2.0)
    assert not ledger.claim(0, "another")
    assert ledger.finish(0, "failed", reason="too late").state == "done"
    assert ledger.workers() == []


def test_a_failed_point_is_retried_and_one_that_is_given_back_goes_on(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.plan([point(0), point(1)])
    assert ledger.claim(0, "a", attempts=0)
    assert not ledger.claim(0, "b", attempts=0)
    ledger.finish(0, "failed", reason="no memory")
    assert ledger.entry(0).reason == "no memory"
    assert not ledger.claim(0, "b", attempts=0)
    assert ledger.claim(0, "b", attempts=1)
    ledger.finish(0, "planned")
    assert (ledger.entry(0).state, ledger.entry(0).attempts) == ("planned", 2)
    assert ledger.claim(1, "b")
    ledger.finish(1, "pruned")
    assert not ledger.claim(1, "b")


def test_of_several_processes_each_point_is_claimed_by_one(tmp_path):
    Ledger(tmp_path).plan([point(seed) for seed in range(40)])
    processes = [worker(tmp_path, "finish") for _ in range(3)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate()[0].split() for process in processes]
    assert sorted(int(number) for numbers in said for number in numbers) == list(range(40))
    assert {(entry.state, entry.attempts) for entry in Ledger(tmp_path).entries()} == {("done", 1)}


def test_the_points_of_a_killed_process_are_free_and_those_of_a_living_one_are_not(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.plan([point(seed) for seed in range(2)])
    process = worker(tmp_path, "wait")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    while process.stdout.readline() != "waiting\n":
        pass
    assert not ledger.claim(0, "me")
    assert all(map(ledger.at_it, ledger.entries()))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert states(ledger) == ["running", "running"]
    assert not any(map(ledger.at_it, ledger.entries()))
    assert ledger.claim(0, "me")
    assert ledger.entry(0).attempts == 2
    with folder.held(tmp_path / "1"):  # its job outlives it
        assert not ledger.claim(1, "me")
    assert ledger.claim(1, "me")


def test_a_point_whose_run_ended_as_its_worker_died_is_not_run_again(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.plan([point(seed) for seed in range(4)])
    for number in range(4):
        assert ledger.claim(number, "dead")
    ended(tmp_path, 0)
    ended(tmp_path, 1, status="failed", reason="it was")
    ended(tmp_path, 2, status="pruned")
    assert not ledger.claim(0, "me")
    assert ledger.entry(0).metrics == {"val/accuracy": 0.75}
    assert ledger.entry(0).seconds == 3.5
    assert [entry.number for entry in ledger.reconcile()] == [2]
    assert states(ledger) == ["done", "running", "pruned", "running"]
    assert ledger.reconcile() == []


def test_a_lost_ledger_is_rebuilt_from_the_job_folders(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.plan([point(seed, role_of=str(seed)) for seed in range(5)])
    for number in range(4):
        assert ledger.claim(number, "one")
    for number, state in enumerate(("done", "failed", "pruned")):
        ended(tmp_path, number, status=state, reason=None if state == "done" else "why")
        summary = json.loads((tmp_path / str(number) / "summary.json").read_text())
        metrics = {"val/accuracy": summary["val/accuracy"]}
        ledger.finish(number, state, metrics=metrics, reason=summary["reason"] or "", seconds=3.5)
    ledger.finish(3, "planned")
    before = ledger.entries()
    (tmp_path / JOURNAL).unlink()
    again = Ledger(tmp_path)
    assert [entry.number for entry in again.rebuild()] == [0, 1, 2, 3]
    assert again.rebuild() == []
    again.plan([point(seed, role_of=str(seed)) for seed in range(5)])
    strip = [replace(entry, worker="", attempts=0) for entry in again.entries()]
    assert strip == [replace(entry, worker="", attempts=0) for entry in before]


def test_lines_that_were_damaged_cost_what_they_held_and_no_more(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.plan([point(seed) for seed in range(3)])
    for number in range(3):
        assert ledger.claim(number, "one")
        ended(tmp_path, number)
        ledger.finish(number, "done", metrics={"val/accuracy": 0.75}, seconds=3.5)
    lines = (tmp_path / JOURNAL).read_bytes().splitlines(keepends=True)
    lines[1] = b"\x00\xff garbage\n"
    (tmp_path / JOURNAL).write_bytes(b"".join(lines))
    again = Ledger(tmp_path)
    assert [entry.number for entry in again.entries()] == [0, 2]
    again.rebuild()
    assert states(again) == ["done"] * 3
    assert [entry.number for entry in again.plan([point(seed) for seed in range(3)])] == [0, 1, 2]


def test_a_job_folder_without_its_note_is_read_from_its_config(tmp_path):
    (tmp_path / "7").mkdir()
    config = {"seed": 2, "fold": None, "optim": {"lr": 0.1}, "switches": {}}
    folder.write_config(tmp_path / "7", config, ["seed=2"])
    ended(tmp_path, 7)
    (tmp_path / "8").mkdir()
    ledger = Ledger(tmp_path)
    (entry,) = ledger.rebuild()
    assert (entry.number, entry.seed, entry.overrides, entry.state) == (7, 2, ("seed=2",), "done")
    planned = ledger.plan([Planned(config, ("seed=2",), {}, 2), *(point(seed) for seed in range(9))])
    assert [entry.number for entry in planned] == [7, 0, 1, 2, 3, 4, 5, 6, 9, 10]


def test_a_full_disk_claims_and_finishes_nothing(tmp_path, monkeypatch):
    ledger = Ledger(tmp_path)
    ledger.plan([point(0), point(1)])
    assert ledger.claim(0, "one")
    before = (tmp_path / JOURNAL).read_bytes()
    write, room = os.write, [3]

    def full(descriptor: int, data: bytes) -> int:
        if room[0] <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(descriptor, data[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        ledger.finish(0, "done", metrics={"val/accuracy": 1.0})
    with pytest.raises(OSError, match="No space"):
        ledger.claim(1, "one")
    with pytest.raises(OSError, match="No space"):
        ledger.plan([point(5)])
    assert (tmp_path / JOURNAL).read_bytes() == before
    assert states(ledger) == states(Ledger(tmp_path)) == ["running", "planned"]
    monkeypatch.setattr(os, "write", write)
    assert ledger.finish(0, "done").state == "done"


def test_a_thousand_points_are_planned_in_one_append(tmp_path, monkeypatch):
    synced = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(time.time()) or fsync(descriptor))
    assert len(Ledger(tmp_path).plan([point(seed) for seed in range(1000)])) == 1000
    assert len(synced) == 1

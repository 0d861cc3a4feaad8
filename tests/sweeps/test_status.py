"""`assay status`: counts, what runs where and how far, what waits, what failed and why; by ledger and queue."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from assay.cli import main
from assay.folder import held
from assay.sweeps.ledger.ledger import Ledger, Planned
from assay.sweeps.status import lines, remaining
from tests.sweeps.slurm_sweeps import submitted


def ledger_of(folder, number):
    folder.mkdir(parents=True)
    ledger = Ledger(folder)
    ledger.plan([Planned({"seed": n}, (f"seed={n}",), {"optim.lr": f"0.{n}"}, n) for n in range(number)])
    return ledger


def test_every_state_has_its_count_and_line(tmp_path):
    ledger = ledger_of(tmp_path / "s", 6)
    with ledger.at_work() as worker:
        for number in range(5):
            assert ledger.claim(number, worker)
        ledger.finish(0, "done", seconds=60)
        ledger.finish(1, "failed", reason="no luck")
        ledger.finish(2, "pruned", seconds=20)
        ledger.finish(4, "planned")
        place = ledger.folder / "3"
        (place / "log.txt").write_text("first\nepoch 2: step 90/1800 · loss 2.2\nelse\n")
        with held(place):
            said = lines(ledger, ledger.entries())
    assert said[0].endswith("s: 6 runs · 1 done · 1 pruned · 1 running · 1 failed · 1 stopped · 1 planned")
    assert said[1].split() == ["run", "for", "where", "progress"]
    assert said[2].split() == [
        "3",
        "optim.lr=0.3",
        "seed=3",
        "0",
        "s",
        platform.node(),
        *["epoch", "2:", "step", "90/1800", "·", "loss", "2.2"],
    ]
    assert said[3] == "1 optim.lr=0.1 seed=1 failed: no luck"
    assert said[4].startswith("about 2 min")  # three of 40 s each, one at a time
    assert "nobody" not in said[-1]
    said = lines(ledger, ledger.entries())
    assert "1 stopped" not in said[0]
    assert "2 stopped" in said[0]  # its worker has gone
    assert said[-1] == "nobody is at it: the same command goes on"


def test_the_remaining_time_needs_a_run_that_is_done(tmp_path):
    ledger = ledger_of(tmp_path / "s", 3)
    entries = ledger.entries()
    assert remaining(entries, entries, 2) is None
    with ledger.at_work() as worker:
        assert ledger.claim(0, worker)
        ledger.finish(0, "done", seconds=30)
    entries = ledger.entries()
    assert remaining(entries, entries[1:], 2) == pytest.approx(30)


def test_what_waits_in_the_queue_is_told_with_its_reason(slurm, tmp_path, capsys):
    ledger = submitted(tmp_path / "s", [0, 1, 2])
    slurm.set("100", 1, reason="Resources")
    capsys.readouterr()
    assert main(["status", str(ledger.folder)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith("s: 3 runs · 3 queued")
    assert said[1] == "in SLURM's queue: 2 for Priority, 1 for Resources"
    assert len(said) == 2
    slurm.set("100", 2, state="RUNNING", node="node7")
    with ledger.at_work("slurm-100_2-x-1") as worker:
        assert ledger.claim(2, worker)
        said = lines(ledger, ledger.entries())
        assert "1 running · 2 queued" in said[0]
        assert said[2].split()[:6] == ["2", "seed=2", "0", "s", "node7"][:6]
    (tmp_path / "slurm commands" / "squeue").unlink()
    assert lines(ledger, ledger.entries())[1] == (
        "what SLURM's queue holds is not known: there is no squeue on this machine"
    )


def test_its_exit_code_says_whether_a_point_has_failed_and_another_is_refused(tmp_path, monkeypatch, capsys):
    ledger = ledger_of(tmp_path / "outputs" / "sweeps" / "mine", 1)
    monkeypatch.chdir(tmp_path)
    assert main(["status", "mine"]) == 0
    with ledger.at_work() as worker:
        assert ledger.claim(0, worker)
        ledger.finish(0, "failed", reason="no luck")
    assert main(["status", "mine"]) == 1
    assert main(["status", "nothing"]) == 2
    assert "nothing is no sweep" in capsys.readouterr().err


def test_neither_it_nor_cancel_imports_torch(tmp_path):
    ledger_of(tmp_path / "s", 1)
    code = f"""
import sys
from assay.cli import main
assert main(["status", {str(tmp_path / "s")!r}]) == 0
assert main(["cancel", {str(tmp_path / "s")!r}]) == 0
print([name for name in ("torch", "numpy", "scipy", "submitit") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ})
    assert done.stdout.splitlines()[-1] == "[]", done.stderr

"""Stand-ins: of SLURM on PATH, and of the course of a sweep, whose runs are done at once."""

from __future__ import annotations

import os

import pytest

from assay import folder
from assay.sweeps import course
from assay.sweeps.ledger import snapshot
from tests.references.slurm import Slurm


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    made = Slurm(tmp_path / "slurm state")
    made.install(tmp_path / "slurm commands")
    monkeypatch.setenv("PATH", f"{tmp_path / 'slurm commands'}{os.pathsep}{os.environ['PATH']}")
    return made


class Courses(list):
    """{number: seed} of what each course was offered; all of it is done then, but for the numbers in ``fails``."""

    fails: tuple[int, ...] = ()
    orders: course.Orders


@pytest.fixture
def courses(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "model.py").write_text("1")
    monkeypatch.setattr(snapshot, "parts", lambda config_dir: {"src/assay": tmp_path / "tree"})
    seen = Courses()

    def run(ledger, strategy, orders):
        seen.orders = orders
        strategy.begin(ledger)
        offered = strategy.more(ledger, 1000)
        seen.append({entry.number: entry.seed for entry in offered})
        for entry in offered:
            assert ledger.claim(entry.number, "me", entry.attempts)
            config = orders.config_of(entry)
            folder.write_config(entry.folder, config, entry.overrides)
            state = "failed" if entry.number in seen.fails else "done"
            summary = {"status": state, "monitor": "val/accuracy", "val/accuracy": 0.5, "seconds": 60.0}
            folder.write_json(entry.folder / "summary.json", {"format": 1, **summary})
            ledger.finish(entry.number, state, metrics={"val/accuracy": 0.5}, reason="it was", seconds=60.0)
        return int(bool(seen.fails))

    monkeypatch.setattr(course, "run", run)
    return seen

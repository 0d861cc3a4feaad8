"""A sweep of 60 short runs: what each costs beside its training, and the whole against a process for each point."""

from __future__ import annotations

import json
import tempfile
import time
from functools import partial
from pathlib import Path

from assay.bench import Comparison
from assay.benchmarks.processes import root, run
from assay.composition.devices import core_count

FIXED = ["model=mlp", "data=digits", "trainer=cpu", "trainer.max_epochs=5", "logger=none"]
RATES, SIZES, SEEDS = (0.03, 0.01, 0.003, 0.001, 0.0003), (32, 64, 128), 4
POINTS = len(RATES) * len(SIZES) * SEEDS
ALLOWED = 0.5
"""Seconds that a job may cost beside its training, on one core."""


def axes(plus: str = "") -> list[str]:
    """The 60 points, as overrides of a sweep."""
    return [
        f"{plus}optim.lr={','.join(map(str, RATES))}",
        f"{plus}model.hidden_sizes={','.join(f'[{size}]' for size in SIZES)}",
        f"{plus}seed={','.join(map(str, range(SEEDS)))}",
    ]


def ours(folder: Path) -> tuple[float, float]:
    """Wall seconds of ``train.py -m`` from the command to its end, and the seconds in training steps of its jobs."""
    with tempfile.TemporaryDirectory() as outputs:
        began = time.perf_counter()
        run([str(folder / "train.py"), "-m", *FIXED, *axes(), f"outputs={outputs}"])
        wall = time.perf_counter() - began
        found = [json.loads(path.read_text(encoding="utf-8")) for path in Path(outputs).glob("sweeps/*/*/summary.json")]
    if len(found) != POINTS:
        raise RuntimeError(f"{len(found)} of {POINTS} points were trained")
    return wall, sum(one["training_seconds"] for one in found)


def overhead(folder: Path) -> float:
    """Seconds of a core that a job costs beside its training: start of the sweep, fork, data, test, files, figures."""
    wall, training = ours(folder)
    return (wall * core_count() - training) / POINTS


def one_process_each(folder: Path) -> float:
    """Wall seconds of the same points through Hydra's launcher, a process each, as many at once as there are cores."""
    with tempfile.TemporaryDirectory() as outputs:
        script = str(folder / "benchmarks" / "comparisons" / "hydra_launcher.py")
        fixed = f"fixed=[{','.join(repr(one) for one in FIXED)}]"
        _, printed = run([script, fixed, f"outputs={outputs}", *axes("+")])
    told = json.loads(printed.splitlines()[-1])
    if told["runs"] != POINTS:
        raise RuntimeError(f"{told['runs']} of {POINTS} points were trained")
    return told["seconds"]


def comparisons() -> list[Comparison]:
    folder = root("sweep")
    work = f"`train.py -m model=mlp trainer.max_epochs=5`, {POINTS} points on digits"
    return [
        Comparison(
            "sweep, overhead",
            f"{work}: seconds of a core for each job beside its training, against the {ALLOWED:g} s that are allowed",
            partial(overhead, folder),
            lambda: ALLOWED,
            "job",
            1.0,
            pairs=3,
        ),
        Comparison(
            "sweep, whole",
            f"{work}, against a process for each through Hydra's launcher, one for each core at a time",
            lambda: ours(folder)[0],
            partial(one_process_each, folder),
            "sweep",
            6.0,
            speed=True,
            pairs=3,
        ),
    ]

"""From the command to the fifth training step: ours, checks included, against a plain Lightning script."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from assay.bench import Comparison
from assay.benchmarks.processes import root, run

STEP = 5
COMMAND = ("train.py", "model=lstm", "optim=adam")


def until_step(folder: Path, script: str, arguments: Sequence[str] = ()) -> float:
    """Seconds from the start of the process to the end of its fifth step."""
    probe = folder / "benchmarks" / "until_step.py"
    began, printed = run([str(probe), str(STEP), str(folder / script), *arguments])
    return json.loads(printed.splitlines()[-1])["time"] - began


def comparisons() -> list[Comparison]:
    folder = root("start")
    ours = partial(until_step, folder, COMMAND[0], COMMAND[1:])
    plain = "benchmarks/plain_lightning.py"
    work = f"`{' '.join(COMMAND)}` to the end of step {STEP}, against a plain script with Lightning and torchmetrics"
    drawn = partial(until_step, folder, plain, ["--random"])
    return [
        Comparison("start", work, ours, partial(until_step, folder, plain), "start", 0.85),
        Comparison("start, drawn", f"{work}, its data drawn, without scikit-learn", ours, drawn, "start", 0.85),
    ]

"""Small sweeps and a stand-in of SLURM, for the tests of what submits, follows and stops them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from assay.preflight import check
from assay.sweeps.course import Orders
from assay.sweeps.ledger.ledger import Ledger, Planned
from assay.sweeps.slurm.launcher import Slurm
from assay.sweeps.strategy import Grid

WORDS = ("model=mlp", "trainer=cpu", "logger=none", "trainer.max_epochs=2")


def planned(seeds: Sequence[int], *words: str) -> list[Planned]:
    points = []
    for seed in seeds:
        (point,) = check([*WORDS, *words, f"seed={seed}"])
        points.append(Planned(point.config, point.overrides, {}, seed))
    return points


def orders(points: Sequence[Planned], on_error: str = "continue") -> Orders:
    by_seed = {point.seed: point.config for point in points}
    return Orders(
        config=points[0].config,
        config_of=lambda entry: by_seed[entry.seed],
        command=["assay", "train", "-m"],
        on_error=on_error,
    )


def launcher(**changes: object) -> Slurm:
    given = {
        "partition": None, "account": None, "qos": None, "timeout_min": 60, "cpus_per_task": 2, "mem_gb": 8,
        "gpus_per_node": 0, "array_parallelism": 256, "signal_delay_s": 120, "requeue": 10, "setup": [],
        "parameters": {}, "cluster": "slurm",
    }  # fmt: skip
    return Slurm(**{**given, **changes})


def submitted(folder: Path, seeds: Sequence[int], *words: str, on_error: str = "continue", **changes: object) -> Ledger:
    """The ledger of a sweep whose points are in the queue."""
    folder.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(folder)
    points = planned(seeds, *words)
    assert launcher(**changes).run(ledger, Grid(points), orders(points, on_error)) == 0
    return ledger

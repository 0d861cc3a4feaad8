"""How long a wrong command takes to be refused, against importing Hydra and nothing else."""

from __future__ import annotations

from functools import partial

from assay.bench import Comparison
from assay.benchmarks.processes import root, seconds

REFUSED = 2


def comparisons() -> list[Comparison]:
    wrong = [str(root("refusal") / "train.py"), "model=lstmm"]
    return [
        Comparison(
            "refusal",
            "`train.py model=lstmm` refused, against `python -c 'import hydra'`",
            partial(seconds, wrong, REFUSED),
            partial(seconds, ["-c", "import hydra"]),
            "command",
            2.5,
            pairs=11,
        )
    ]

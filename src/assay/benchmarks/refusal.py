"""How long a wrong command takes to be refused, against importing Hydra and nothing else: every kind of mistake."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import partial
from pathlib import Path

from assay.bench import Comparison
from assay.benchmarks.processes import root, seconds

REFUSED = 2
MISTAKES = {
    "option": ["model=lstmm"],
    "key": ["model.hiden_size=3"],
    "type": ["optim.lr=fast"],
    "range": ["model.dropout=1.5"],
    "missing": ["data=text_csv"],
    "file": ["data=text_csv", "data.path=nowhere.csv", "data.text=a", "data.label=b"],
    "row": ["data=text_csv", "data.path={table}", "data.text=a", "data.label=b"],
    "rule": ["model=bag"],
    "device": ["trainer=cpu", "trainer.precision=16-mixed"],
    "artifact": ["distillation=kd", "distillation.teacher.run=nothing"],
}


def comparisons() -> list[Comparison]:
    train = str(root("refusal") / "train.py")
    table = _broken_table()
    return [
        Comparison(
            f"refusal, {kind}",
            f"`train.py {' '.join(words).format(table='BROKEN.csv')}` refused, against `python -c 'import hydra'`",
            partial(seconds, [train, *(word.format(table=table) for word in words)], REFUSED),
            partial(seconds, ["-c", "import hydra"]),
            "command",
            2.5,
        )
        for kind, words in MISTAKES.items()
    ]


def _broken_table() -> Path:
    """A CSV whose third row has a field too many."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    table = folder / "table.csv"
    table.write_text("a,b\n" + "good,1\nbad,0\n" * 20 + "bad,0,one too many\n", encoding="utf-8")
    return table

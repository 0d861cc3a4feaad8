"""Run folders made by hand, for what reads many of them: config, overrides, summary, and files of any size."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

SWITCHES = {"model": "mlp", "data": "digits", "optim": "adam", "distillation/teacher": "checkpoint"}


def make_run(
    folder: Path,
    *,
    switches: Mapping[str, str] = {},
    config: Mapping[str, Any] = {},
    overrides: Sequence[str] = (),
    summary: Mapping[str, Any] | None = {},
    files: Mapping[str, int] = {},
    seed: int = 0,
    age: float = 0.0,
) -> Path:
    """A run that is done, unless its summary says otherwise or is None (killed).

    Args:
        files: path within the folder -> its bytes.
        age: seconds since it last wrote.
    """
    folder.mkdir(parents=True)
    whole = {
        "format": 1,
        "seed": seed,
        "monitor": None,
        "optim": {"_target_": "torch.optim.Adam", "lr": 0.006},
        "reads": ["vector"],
        "data": {"split_seed": 0},
        "logger": None,
        **config,
        "switches": {**SWITCHES, **switches},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(whole, sort_keys=False))
    (folder / "overrides.yaml").write_text(yaml.safe_dump(list(overrides)))
    (folder / "metrics.csv").write_text("step,epoch,name,value\n")
    if summary is not None:
        scores = {"test/accuracy": 0.5, "monitor": "val/accuracy", "val/accuracy": 0.6, "seconds": 1.25}
        own = {"format": 1, "status": "done", **(scores if summary.get("status", "done") == "done" else {}), **summary}
        (folder / "summary.json").write_text(json.dumps(own))
    for name, size in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x" * size)
    if age:
        then = time.time() - age
        for path in [*folder.rglob("*"), folder]:
            os.utime(path, (then, then))
    return folder

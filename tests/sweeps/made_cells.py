"""Runs made by hand whose scores are known, with what says that they can be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.lifecycle import records as reading
from assay.lifecycle.records import Record
from tests.made_runs import make_run

DIGEST = "d" * 64
VERSIONS = {"assay": "0.1.0", "torch": "2.15.0", "numpy": "2.4.6"}


def make(
    folder: Path,
    settings: Mapping[str, str] = {},
    *,
    seed: int = 0,
    fold: int | None = None,
    folds: int | None = None,
    scores: Mapping[str, float] = {},
    status: str = "done",
    digest: str | None = DIGEST,
    config: Mapping[str, Any] = {},
    followed: Mapping[str, str] = {},
    typed: Sequence[str] = (),
    role: str | None = None,
    source: str = "5" * 64,
) -> Path:
    """A run of some settings (switches, and keys with a dot), which were typed.

    Args:
        scores: metrics of its summary.
        followed: switches that nobody typed.
        typed: further overrides.
        role: in a sweep.
    """
    switches = {key: value for key, value in settings.items() if "." not in key}
    whole: dict[str, Any] = {"data": {"split_seed": 0, "folds": folds}, "fold": fold, "optim": {"lr": 0.006}}
    for key, value in settings.items():
        if "." in key:
            node, _, leaf = key.partition(".")
            whole.setdefault(node, {})[leaf] = json.loads(value)
    make_run(
        folder,
        switches={"debug": "none", **switches, **followed},
        config={"trainer": {"max_epochs": 3}, **whole, **config},
        overrides=[*(f"{key}={value}" for key, value in settings.items()), *typed, f"seed={seed}"],
        summary={"status": status, **scores},
        seed=seed,
    )
    if digest is not None:
        sizes = {"train": 80, "val": 10, "test": 20}
        (folder / "data.json").write_text(json.dumps({"format": 1, "digest": digest, "sizes": sizes}))
        made = {"versions": VERSIONS, "source_digest": source, "data_digest": digest}
        (folder / "environment.json").write_text(json.dumps(made))
    if role is not None:
        (folder / "point.json").write_text(json.dumps({"role": role}))
    return folder


def read(place: Path) -> list[Record]:
    found, bad = reading.read_all(reading.folders(place))
    assert bad == []
    return found

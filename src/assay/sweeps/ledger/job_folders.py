"""What the folder of a job tells of its point, in the words of the journal. Imports no torch."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from assay.folder import read_config, read_overrides
from assay.sweeps.ledger.identity import identity

POINT = "point.json"
"""In a job's folder: what its point is, from which a lost journal is rebuilt."""

KEPT = ("digest", "overrides", "cell", "seed", "fold", "role")
_COUNTS = ("parameters", "epochs", "steps")


def job_folders(sweep: Path) -> Iterator[Path]:
    with os.scandir(sweep) as inside:
        yield from (Path(one.path) for one in inside if one.name.isdecimal() and one.is_dir())


def read_summary(folder: Path) -> dict[str, Any]:
    """summary.json of a run; empty while there is none."""
    try:
        found = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def metrics_of(summary: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of summary.json that the journal keeps: scores, and what a run costs."""
    return {
        key: float(value)
        for key, value in summary.items()
        if ("/" in key or key in _COUNTS) and isinstance(value, int | float) and not isinstance(value, bool)
    }


def ended(number: int, state: str, metrics: Mapping[str, float], reason: str, seconds: float) -> dict[str, Any]:
    """A line of the journal."""
    return {
        "event": "ended",
        "number": number,
        "state": state,
        "metrics": dict(metrics),
        "reason": reason,
        "seconds": round(seconds, 3),
        "time": round(time.time(), 3),
    }


def found_done(folder: Path, number: int) -> dict[str, Any] | None:
    """The line for a point whose folder says that its run came to its end; None if it does not."""
    summary = read_summary(folder)
    return _told(number, summary) if summary.get("status") in ("done", "pruned") else None


def recovered(folder: Path, number: int) -> list[dict[str, Any]]:
    """The lines of a point that the journal has lost; none where nothing tells what it was. A run that neither ended
    nor failed goes on when it is asked for."""
    if (planned := _planned(folder, number)) is None:
        return []
    begun = {"event": "claimed", "number": number, "worker": "", "time": 0.0}
    summary = read_summary(folder)
    if summary.get("status") in ("done", "failed", "pruned"):
        return [planned, begun, _told(number, summary)]
    if (folder / "config.yaml").exists():
        return [planned, begun, ended(number, "planned", {}, "", 0.0)]
    return [planned]


def _told(number: int, summary: Mapping[str, Any]) -> dict[str, Any]:
    seconds = summary.get("seconds")
    return ended(
        number,
        str(summary["status"]),
        metrics_of(summary),
        str(summary.get("reason") or ""),
        float(seconds) if isinstance(seconds, int | float) else 0.0,
    )


def _planned(folder: Path, number: int) -> dict[str, Any] | None:
    """As kept there, else from the run's own files, which do not know the axes."""
    line: dict[str, Any] = {"event": "planned", "number": number}
    try:
        kept = json.loads((folder / POINT).read_text(encoding="utf-8"))
        return line | {key: kept[key] for key in KEPT}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    try:
        config = read_config(folder)
    except ValueError:
        return None
    return line | {
        "digest": identity(config),
        "overrides": read_overrides(folder),
        "cell": {},
        "seed": config.get("seed") or 0,
        "fold": config.get("fold"),
        "role": "point",
    }

"""How a loop over runs learnt: it trains nothing itself, so its stages speak, in the order they began."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import ConfigError
from assay.folder import is_running, read_overrides
from assay.review import charts, metrics_csv, numerals
from assay.review.facts import Point, Run
from assay.review.html import Html, tag
from assay.review.page import number, right_head, row_head, table
from assay.screens import pasted, shown

_LINES = 12
_ROWS = 60


@dataclass(frozen=True)
class Stage:
    """One stage: its folder, how it ended, what it measured, and what was typed for it alone."""

    folder: Path
    status: str
    summary: dict[str, Any]
    curves: dict[str, list[Point]]
    own: list[str]

    @property
    def monitor(self) -> str:
        return str(self.summary.get("monitor") or "")


def stages(run: Run) -> list[Html]:
    """Empty where the run is no loop, or has begun no stage."""
    found = read(run)
    if not found:
        return []
    monitor = next((one.monitor for one in found if one.monitor), run.monitor or "")
    done = sum(one.status == "done" for one in found)
    told = f"A loop over runs: {numerals.count(len(found), 'stage')}, {done} of them done. Each is a run of its own."
    body = [tag("p", told), _table(found, monitor)]
    drawn = []
    for metric, title in ((monitor, f"{monitor} (monitored)"), ("train/loss", "train/loss")):
        having = [one for one in found if metric and metric in one.curves]
        series = [charts.Series(one.folder.name, one.curves[metric]) for one in having[-_LINES:]]
        if series:
            left = f", the last {_LINES} of {len(having)} stages" if len(having) > _LINES else ""
            drawn.append(charts.lines(f"{title}{left}", series))
    if drawn:
        body.append(tag("div", drawn, class_="charts"))
        body.append(
            tag("p", "Point at a curve, or focus it and use the arrow keys, to read its values.", class_="small")
        )
    last = found[-1].folder
    body.append(tag("p", "Of one stage alone: ", tag("code", f"assay review {pasted(shown(last))}"), class_="small"))
    return body


def read(run: Run) -> list[Stage]:
    """The stages that were trained, or are; those that only export a file are in the table of costs."""
    place = run.folder / "stages"
    folders = [path.parent for path in place.glob("[!.]*/config.yaml")] if place.is_dir() else []
    folders.sort(key=lambda folder: ((folder / "config.yaml").stat().st_mtime, folder.name))
    known = {name: number for number, name in enumerate(_order(run.folder))}
    folders.sort(key=lambda folder: known.get(folder.name, len(known)))
    lists = [read_overrides(folder) for folder in folders]
    shared = set(lists[0]).intersection(*lists[1:]) if len(lists) > 1 else set()
    return [
        _stage(folder, [one for one in typed if one not in shared])
        for folder, typed in zip(folders, lists, strict=True)
    ]


def _stage(folder: Path, own: list[str]) -> Stage:
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        summary = {}
    summary = summary if isinstance(summary, dict) else {}
    curves: dict[str, list[Point]] = {}
    try:
        for row in metrics_csv.read(folder / "metrics.csv"):
            curves.setdefault(row.name, []).append(Point(row.step, row.epoch, row.value))
    except ConfigError:
        curves = {}
    status = "running" if is_running(folder) else str(summary.get("status", "unfinished"))
    return Stage(folder, status, summary, curves, own)


def _order(folder: Path) -> list[str]:
    """Of chain.json: a copied folder has lost its times."""
    try:
        rows = json.loads((folder / "chain.json").read_text(encoding="utf-8"))["rows"]
        return [str(row["stage"]) for row in rows]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _table(found: Sequence[Stage], monitor: str) -> Html:
    metric = monitor.partition("/")[2]
    rows = []
    for one in found[:_ROWS]:
        best, epochs = one.summary.get("best_epoch"), one.summary.get("epochs")
        rows.append(
            [
                row_head(one.folder.name, one.status if one.status != "done" else None),
                tag("td", tag("code", " ".join(_short(word) for word in one.own)) if one.own else "–"),
                number(f"{best + 1} of {epochs}" if isinstance(best, int) and epochs else "–"),
                number(_score(one.summary.get(monitor))),
                number(_score(one.summary.get(f"test/{metric}"))),
                number(numerals.duration(one.summary["seconds"]) if "seconds" in one.summary else "–"),
            ]
        )
    heads = [
        "stage",
        "what is its own",
        *map(right_head, ("best epoch", monitor or "validation", f"test/{metric}", "time")),
    ]
    left = f"{_ROWS} of {len(found)} stages." if len(found) > _ROWS else None
    return tag("div", table(heads, rows, caption=left, label="stages"), class_="stages")


def _score(value: object) -> str:
    return numerals.score(float(value)) if isinstance(value, int | float) else "–"


def _short(word: str) -> str:
    """A path by its last folder: what it reads is a stage beside it."""
    key, sign, value = word.partition("=")
    return f"{key}={Path(value.strip(chr(39))).name}" if sign and "/" in value else word

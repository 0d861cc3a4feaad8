"""The Pareto figure of a loop: score against bytes, multiply-adds and latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.figures import blank
from assay.screens import lower_is_better

AXES = (("bytes", "bytes"), ("macs", "multiply-adds"), ("latency", "ms for one example"))


def value(row: Mapping[str, Any], name: str) -> float | None:
    """Of an axis; None where the row has not got it."""
    if name == "latency":
        return ((row.get("latency_ms") or {}).get("1") or {}).get("median")
    return row.get(name)


def front(rows: Sequence[Mapping[str, Any]], metric: str, name: str) -> list[str]:
    """The stages that no other beats in both, the cheapest first."""
    sign = -1 if lower_is_better(metric) else 1
    points = [
        (cost, -sign * row["val"][metric], row["stage"])
        for row in rows
        if (cost := value(row, name)) is not None and metric in (row.get("val") or {})
    ]
    kept, best = [], None
    for _, worse, stage in sorted(points):
        if best is None or worse < best:
            kept.append(stage)
            best = worse
    return kept


def draw(rows: Sequence[Mapping[str, Any]], metric: str, path: Path) -> None:
    """A panel for each axis; the line joins the stages that none beats."""
    figure = blank(11, 3.8)
    for place, (name, words) in enumerate(AXES, 1):
        axes = figure.add_subplot(1, len(AXES), place)
        found = {row["stage"]: row for row in rows if value(row, name) and metric in (row.get("val") or {})}
        for stage, row in found.items():
            axes.scatter(value(row, name), row["val"][metric], s=26, zorder=3)
            axes.annotate(stage, (value(row, name), row["val"][metric]), xytext=(4, 4), textcoords="offset points")
        best = [found[stage] for stage in front(list(found.values()), metric, name)]
        axes.plot([value(row, name) for row in best], [row["val"][metric] for row in best], color="0.6", linewidth=1)
        if found:
            axes.set_xscale("log")
        axes.set(xlabel=words, ylabel=f"val/{metric}" if place == 1 else "")
        axes.margins(x=0.25, y=0.15)
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)

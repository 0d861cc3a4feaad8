"""The Pareto figure of a loop: score against bytes, multiply-adds and latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.figures import blank
from assay.screens import lower_is_better

MARKERS = "osD^vPX*"
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
    """A panel for each axis, a sign for each stage; the line joins the stages that none beats."""
    figure = blank(11, 3.8)
    signs = {row["stage"]: (f"C{i % 10}", MARKERS[i % len(MARKERS)]) for i, row in enumerate(rows)}
    shown: dict[str, Any] = {}
    for place, (name, words) in enumerate(AXES, 1):
        axes = figure.add_subplot(1, len(AXES), place)
        found = {row["stage"]: row for row in rows if value(row, name) and metric in (row.get("val") or {})}
        for i, (stage, row) in enumerate(found.items()):  # hollow, each within the one before: some stand on one spot
            color, marker = signs[stage]
            style = {"marker": marker, "s": max(170 - 30 * i, 30), "facecolors": "none", "edgecolors": color}
            shown.setdefault(
                stage, axes.scatter(value(row, name), row["val"][metric], zorder=3, linewidths=1.6, **style)
            )
        best = [found[stage] for stage in front(list(found.values()), metric, name)]
        axes.plot([value(row, name) for row in best], [row["val"][metric] for row in best], color="0.6", linewidth=1)
        if found:
            axes.set_xscale("log")
        axes.set(xlabel=words, ylabel=f"val/{metric}" if place == 1 else "")
        axes.tick_params(axis="x", which="minor", labelbottom=False)
        axes.margins(x=0.15, y=0.15)
        axes.grid(alpha=0.3)
    if shown:
        figure.legend(
            list(shown.values()), list(shown), loc="outside upper center", ncols=min(len(shown), 6), frameon=False
        )
    figure.savefig(path, dpi=110)

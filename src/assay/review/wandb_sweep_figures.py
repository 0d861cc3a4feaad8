"""Pictures of a sweep for W&B: curves with bands, and scores with intervals. The page of `assay review` has its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from assay.review import metrics_csv
from assay.sweeps.tables.cells import Cell, Group
from assay.sweeps.tables.statistics import estimate

CURVES, SCORES = 8, 30  # cells shown, the best by validation


def blank(width: float, height: float) -> Any:
    """As :func:`assay.figures.blank`, without torch."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def bands(cell: Cell, metric: str) -> list[tuple[int, float, float, float]]:
    """(step, mean, lowest, highest) of a metric over the runs of a cell, at the steps that all of them have."""
    by_step: dict[int, list[float]] = defaultdict(list)
    for run in cell.runs:
        path = run.folder / "metrics.csv"
        here = {row.step: row.value for row in metrics_csv.read(path) if row.name == metric} if path.is_file() else {}
        for step, value in here.items():
            by_step[step].append(value)
    return [
        (step, fmean(values), min(values), max(values))
        for step, values in sorted(by_step.items())
        if len(values) == len(cell.runs)
    ]


def curves(group: Group, cells: Sequence[Cell], path: Path) -> bool:
    """The monitored metric over steps: a cell's mean, and the band from its lowest to its highest run."""
    drawn = [(cell, points) for cell in cells[:CURVES] if (points := bands(cell, group.metric))]
    if not drawn:
        return False
    figure = blank(8, 5)
    axes = figure.add_subplot()
    for cell, points in drawn:
        steps, means, lows, highs = zip(*points, strict=True)
        (line,) = axes.plot(steps, means, linewidth=1.5, label=f"{cell.name} ({len(cell.runs)})")
        if len(cell.runs) > 1:
            axes.fill_between(steps, lows, highs, alpha=0.18, color=line.get_color(), linewidth=0)
    more = f", the best {len(drawn)} of {len(cells)} cells" if len(drawn) < len(cells) else ""
    axes.set(xlabel="optimiser steps", ylabel=group.metric, title=f"{group.data}: mean, lowest and highest run{more}")
    axes.legend(frameon=False, fontsize=8)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    return True


def scores(group: Group, cells: Sequence[Cell], path: Path) -> bool:
    """The monitored metric of each cell: mean, 95 % interval, and every run."""
    drawn = [
        (cell, one, values)
        for cell in cells[:SCORES]
        if (values := cell.scores(group.metric)) and (one := estimate(values, group.folds)) is not None
    ]
    if not drawn:
        return False
    figure = blank(8, 1.2 + 0.3 * len(drawn))
    axes = figure.add_subplot()
    for row, (_, one, values) in enumerate(drawn):
        axes.plot([value for _, _, value in values], [row] * len(values), ".", color="0.6", markersize=5)
        axes.errorbar(one.mean, row, xerr=one.half, fmt="o", color="C0", capsize=3, markersize=5)
    axes.set_yticks(range(len(drawn)), [cell.name for cell, _, _ in drawn], fontsize=8)
    axes.set_ylim(len(drawn) - 0.4, -0.6)
    axes.set(xlabel=f"{group.metric}: mean, 95 % interval, runs", title=group.data)
    axes.grid(alpha=0.3, axis="x")
    figure.savefig(path, dpi=110)
    return True

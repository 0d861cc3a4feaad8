"""The figures of a run folder: curves of every logged metric, and where the predictions err."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from assay import scales

MOST_CLASSES = 40  # above this a confusion matrix is a grey square


def write(where: Path, task: Any, readings: Mapping[str, Tensor], monitor: str) -> None:
    """``figures/curves.png``, and ``figures/confusion.png`` (classes), ``scatter.png`` (numbers) or ``tags.png``."""
    folder = where / "figures"
    folder.mkdir(exist_ok=True)
    curves(where / "metrics.csv", folder / "curves.png", monitor)
    if "probability" in readings and task.names:
        tags(readings, task.names, folder / "tags.png")
    elif "prediction" in readings:
        scatter(readings, folder / "scatter.png")
    elif readings["label"].dim() == 1 and len(task.names) <= MOST_CLASSES:
        confusion(readings, task.names, folder / "confusion.png")


def blank(width: float, height: float, margins: tuple[float, float] | None = None) -> Any:
    """An empty figure, inches wide and high, that no window or global state knows.

    Args:
        margins: left and below, in inches, for labels; without, matplotlib looks for them, which takes as long as the
            drawing.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((width, height), layout=None if margins else "constrained")
    if margins:
        left, below = margins
        figure.subplots_adjust(left / width, below / height, 1 - 0.12 / width, 1 - 0.12 / height, hspace=0.14)
    FigureCanvasAgg(figure)
    return figure


def curves(metrics: Path, path: Path, monitor: str) -> None:
    """Loss above, the monitored metric below, over optimiser steps."""
    from assay.review.metrics_csv import read

    points: dict[str, list[tuple[int, float]]] = {}
    for row in read(metrics):
        points.setdefault(row.name, []).append((row.step, row.value))
    losses = [name for name in ("train/loss", "val/log_loss") if name in points]
    figure = blank(7, 5, (0.75, 0.5))
    panels = [("loss", losses), (monitor, [monitor] if monitor in points and monitor not in losses else [])]
    panels = [(title, names) for title, names in panels if names]
    for position, (title, names) in enumerate(panels, 1):
        axes = figure.add_subplot(len(panels), 1, position)
        for name in names:
            axes.plot(
                *zip(*points[name], strict=True), label=name, linewidth=1.4, marker="." if len(points[name]) < 3 else ""
            )
        if names != [title]:
            axes.legend(frameon=False)
        scales.numbers(axes, "optimiser steps" if position == len(panels) else "", title)
    figure.savefig(path, dpi=110)


def confusion(readings: Mapping[str, Tensor], names: tuple[str, ...], path: Path) -> None:
    """Rows are targets, columns predictions; the diagonal is right."""
    size = len(names)
    predicted = readings["log_probs"].argmax(-1)
    matrix = torch.bincount(readings["label"] * size + predicted, minlength=size * size).reshape(size, size)
    side = max(4.0, 0.42 * size + 1.5)
    shown = [_short(name, 14) for name in names]
    longest = max(map(len, shown))
    left, under = 0.55 + 0.09 * longest, 0.6 + 0.065 * longest
    figure = blank(side, side, (left, under))
    axes = figure.add_subplot()
    shares = matrix / matrix.sum(1, keepdim=True).clamp(min=1)
    axes.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1)
    for row in range(size):
        for column in range(size):
            if matrix[row, column]:
                colour = "white" if shares[row, column] > 0.5 else "black"
                axes.text(column, row, int(matrix[row, column]), ha="center", va="center", color=colour, fontsize=8)
    scales.names(axes, shown, "predicted", "target", left=left, under=under)
    figure.savefig(path, dpi=110)


def tags(readings: Mapping[str, Tensor], names: tuple[str, ...], path: Path) -> None:
    """F1 of the commonest types of spans, or of the commonest tags where tags mark no spans: a bar each, with how many
    of them there are."""
    from assay.metrics.spans import by_name

    found = by_name(readings["label"], readings["prediction"], names)
    order = sorted(range(len(found.names)), key=lambda place: -found.there[place])[:MOST_CLASSES]
    shown = [f"{_short(found.names[place], 28)}  {found.there[place]:,}" for place in order]
    scores = [2 * found.right[place] / max(found.there[place] + found.found[place], 1) for place in order]
    figure = blank(7, 0.22 * len(order) + 0.9, (0.3 + 0.075 * max(map(len, shown), default=1), 0.5))
    axes = figure.add_subplot()
    axes.barh(range(len(order)), scores, height=0.7)
    axes.set_yticks(range(len(order)), shown, fontsize=8)
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    left = len(found.names) - len(order)
    axes.set_xlabel(f"F1 on the test split{f', the {len(order)} commonest of {len(found.names)}' if left else ''}")
    axes.grid(alpha=0.3, axis="x")
    figure.savefig(path, dpi=110)


def _short(name: str, longest: int) -> str:
    return name if len(name) <= longest else name[: longest - 1] + "…"


def scatter(readings: Mapping[str, Tensor], path: Path) -> None:
    """Prediction against target; the line is right."""
    target, predicted = readings["label"].numpy(), readings["prediction"].numpy()
    figure = blank(5, 5)
    axes = figure.add_subplot()
    axes.scatter(target, predicted, s=9, alpha=0.6)
    low, high = float(min(target.min(), predicted.min())), float(max(target.max(), predicted.max()))
    axes.plot([low, high], [low, high], color="black", linewidth=0.8)
    axes.set(xlabel="target", ylabel="prediction")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)

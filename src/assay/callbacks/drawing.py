"""Figures of diagnostics: curves or a heat map by layer, the spectrum of a Hessian, singular values over time."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from assay.figures import blank
from assay.review.metrics_csv import read as read_metrics

Points = list[tuple[int, float]]
MOST_LINES = 12  # more layers are a heat map
MOST_ROWS = 80  # of a heat map; its labels would overlap
DPI = 110
EPSILON = sys.float_info.epsilon


def read(where: Path, prefix: str) -> dict[str, Points]:
    """The metrics whose names begin so, without the beginning, in the order in which they were first logged; a point
    that was measured twice counts once."""
    found: dict[str, dict[int, float]] = {}
    for row in read_metrics(where / "metrics.csv"):
        if row.name.startswith(prefix):
            found.setdefault(row.name.removeprefix(prefix), {})[row.step] = row.value
    return {name: list(points.items()) for name, points in found.items()}


def layers(path: Path, title: str, panels: Mapping[str, Mapping[str, Points]], *, log: bool = False) -> None:
    """One panel for each quantity: a line for each layer, dark at the input and light at the output; of many layers a
    heat map, a row each, the input on top.

    Args:
        panels: what is measured -> layer -> (step, value); shares between 0 and 1 unless ``log``.
        log: the scale is logarithmic, and what is not above zero is left out.
    """
    panels = {label: curves for label, curves in panels.items() if curves}
    if not panels:
        return
    count = max(map(len, panels.values()))
    if count > MOST_LINES:
        _heat(path, title, panels, log)
        return
    figure = blank(9, 0.4 + 3.6 * len(panels))
    figure.suptitle(title)
    colours = _colours(count)
    highest = max((v for curves in panels.values() for points in curves.values() for _, v in points), default=1.0)
    for place, (label, curves) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(len(panels), 1, place)
        for colour, (name, points) in zip(colours, curves.items(), strict=False):
            shown = [(step, value) for step, value in points if math.isfinite(value) and (value > 0 or not log)]
            steps, values = zip(*shown, strict=True) if shown else ((), ())
            axes.plot(steps, values, label=name, color=colour, linewidth=1.4, marker="." if len(shown) < 30 else "")
        if log:
            axes.set_yscale("log")
        else:
            top = min(1.0, max(0.1, 1.2 * highest))
            axes.set_ylim(-0.03 * top, 1.03 * top)
        axes.set(ylabel=label, xlabel="optimiser steps" if place == len(panels) else "")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
    figure.savefig(path, dpi=DPI)


def _colours(count: int) -> list[Any]:
    from matplotlib import colormaps

    return [colormaps["viridis"](0.92 * i / max(count - 1, 1)) for i in range(count)]


def _heat(path: Path, title: str, panels: Mapping[str, Mapping[str, Points]], log: bool) -> None:
    from matplotlib.colors import LogNorm, Normalize

    rows = max(map(len, panels.values()))
    shown = min(rows, MOST_ROWS)
    figure = blank(5.5 + 4 * len(panels), 1.6 + 0.165 * shown)
    figure.suptitle(title if shown == rows else f"{title}: {shown} of {rows}, evenly over the depth")
    values = [value for curves in panels.values() for points in curves.values() for _, value in points]
    finite = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
    norm = LogNorm(min(finite, default=0.1), max(finite, default=1.0)) if log else Normalize(0, 1)
    for place, (label, curves) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, len(panels), place)
        names = list(curves)
        if len(names) > shown:
            names = [names[round(i * (len(names) - 1) / (shown - 1))] for i in range(shown)]
        steps = sorted({step for name in names for step, _ in curves[name]})
        grid = [[_at(curves[name], step, log) for step in steps] for name in names]
        image = axes.pcolormesh(_edges(steps), range(len(names) + 1), grid, norm=norm, cmap="viridis")
        axes.set_ylim(len(names), 0)
        axes.set_facecolor("lightgrey")
        axes.set_yticks([i + 0.5 for i in range(len(names))], names if place == 1 else [""] * len(names), fontsize=6)
        axes.set(xlabel="optimiser steps")
        axes.set_title(label, fontsize=10)
    figure.colorbar(image, ax=figure.axes, fraction=0.04, pad=0.02, aspect=40)
    figure.savefig(path, dpi=DPI)


def _at(points: Points, step: int, log: bool) -> float:
    value = dict(points).get(step, math.nan)
    return value if value > 0 or not log else math.nan


def _edges(steps: Sequence[int]) -> list[float]:
    """Borders of columns, half way between neighbouring steps."""
    if len(steps) == 1:
        return [steps[0] - 0.5, steps[0] + 0.5]
    middles = [(a + b) / 2 for a, b in pairwise(steps)]
    return [2 * steps[0] - middles[0], *middles, 2 * steps[-1] - middles[-1]]


def spectrum(found: Mapping[str, Any], over_steps: Mapping[str, Points], path: Path) -> None:
    """The Ritz values of a Hessian with their weights; below, where there are several points, both ends over steps."""
    several = {name: over_steps[name] for name in ("max", "min") if len(over_steps.get(name, [])) > 1}
    figure = blank(8, 6.6 if several else 3.9)
    axes = figure.add_subplot(2 if several else 1, 1, 1)
    pairs = [(v, w) for v, w in zip(found["values"], found["weights"], strict=True) if math.isfinite(v) and w > 0]
    size = max((abs(value) for value, _ in pairs), default=0.0) or 1.0
    lowest = min((weight for _, weight in pairs), default=0.1)
    for value, weight in pairs:
        colour = "tab:red" if value < 0 else "tab:blue"
        axes.plot([value, value], [lowest / 3, weight], color=colour, linewidth=1.2, marker="", alpha=0.8)
        axes.plot([value], [weight], color=colour, marker="o", markersize=3)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yscale("log")
    axes.set_xscale("symlog", linthresh=10.0 ** round(math.log10(size) - 2))
    axes.margins(x=0.06)
    axes.set_ylim(lowest / 3, 2)
    ends = f"largest {found['max']:.3g}, smallest {found['min']:.3g}, gradient norm {found['gradient_norm']:.2g}"
    axes.set_title(f"Hessian of the training loss at step {found['step']}: {found['kind']}\n{ends}", fontsize=11)
    axes.set(xlabel="eigenvalue (Ritz values), linear around zero", ylabel="weight in the spectrum")
    axes.grid(alpha=0.3)
    if several:
        axes = figure.add_subplot(2, 1, 2)
        for (name, points), colour in zip(several.items(), ("tab:blue", "tab:red"), strict=True):
            axes.plot(*zip(*points, strict=True), label=f"λ {name}", color=colour, marker=".", linewidth=1.4)
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set(xlabel="optimiser steps", ylabel="eigenvalue")
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=DPI)


_ENDS = {"max": ("largest", "tab:blue"), "median": ("median", "tab:green"), "min": ("smallest", "tab:orange")}


def singular_values(found: Mapping[str, Any], path: Path) -> None:
    """A row for each layer: singular values of each step's Jacobian, and of their product since the first position;
    those on the dotted line, the rounding of the largest, are not known to be more than that."""
    layers = found["layers"]
    figure = blank(11, 0.7 + 2.9 * len(layers))
    examples = f"{found['examples']} validation example" + ("s" if found["examples"] != 1 else "")
    figure.suptitle(f"Jacobian of the recurrent state at step {found['step']}, {examples}")
    titles = {
        "step": r"of one step, $\partial h_t / \partial h_{t-1}$",
        "over_time": r"over time, $\partial h_t / \partial h_1$",
    }
    for row, (name, spectra) in enumerate(layers.items()):
        for column, (key, title) in enumerate(titles.items()):
            axes = figure.add_subplot(len(layers), 2, 2 * row + column + 1)
            for end, (label, colour) in _ENDS.items():
                shown = [
                    (t, value)
                    for t, value in zip(spectra["t"], spectra[key].get(end, []), strict=True)
                    if math.isfinite(value) and value > 0
                ]
                at, values = zip(*shown, strict=True) if shown else ((), ())
                axes.plot(at, values, label=label, color=colour, marker="." if len(at) < 60 else "", linewidth=1.4)
            largest = spectra[key].get("max", [])
            rounding = [value * EPSILON for value in largest]
            if any(low <= floor for low, floor in zip(spectra[key].get("min", []), rounding, strict=True)):
                axes.plot(spectra["t"], rounding, color="grey", linewidth=0.8, linestyle=":", label="rounding")
            axes.axhline(1, color="black", linewidth=0.8, linestyle="--")
            axes.set_yscale("log")
            axes.grid(alpha=0.3)
            if row == 0:
                axes.set_title(title, fontsize=10)
            axes.set(
                xlabel="position t" if row == len(layers) - 1 else "",
                ylabel=f"{name}\nsingular values" if column == 0 else "",
            )
    handles, labels = max((axes.get_legend_handles_labels() for axes in figure.axes), key=lambda both: len(both[0]))
    figure.legend(handles, labels, loc="outside right center", frameon=False)
    figure.savefig(path, dpi=DPI)

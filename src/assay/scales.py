"""The scales of a figure: what stands along its axes.

Each run of a sweep draws figures, and matplotlib's own ticks, of which each is three lines and two texts, took as long
as all the rest of them: here they are one text each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

GRID = {"color": "#b0b0b0", "alpha": 0.3, "linewidth": 0.8}
NEAR = 0.035  # inches between an axis and what stands along it
LABEL = {"x": 0.36, "y": 0.6}  # inches between an axis and the word for what it measures


def numbers(axes: Any, below: str, beside: str) -> None:
    """Round numbers along both axes, a faint line at each, and what they measure."""
    from matplotlib.ticker import MaxNLocator

    width, height = _inches(axes)
    for axis, limits in (("x", axes.get_xlim()), ("y", axes.get_ylim())):
        low, high = sorted(limits)
        count = max(3, round((width if axis == "x" else 2 * height) / 0.8))
        found = MaxNLocator(min(count, 9), steps=[1, 2, 5, 10]).tick_values(low, high)
        places = [float(place) for place in found if low <= place <= high]
        if axis == "x":
            axes.vlines(places, 0, 1, transform=axes.get_xaxis_transform(), **GRID)
        else:
            axes.hlines(places, 0, 1, transform=axes.get_yaxis_transform(), **GRID)
        _along(axes, axis, places, rounded(places))
    _what(axes, below, beside, LABEL["x"], LABEL["y"])


def names(axes: Any, shown: Sequence[str], below: str, beside: str, *, left: float, under: float) -> None:
    """A name for each row and column of a matrix, slanted below it where they are long.

    Args:
        left, under: inches from the axes to the edges of the figure, where ``beside`` and ``below`` stand.
    """
    places = [float(place) for place in range(len(shown))]
    _along(axes, "x", places, shown, slanted=max(map(len, shown), default=0) > 3)
    _along(axes, "y", places, shown)
    _what(axes, below, beside, under - 0.22, left - 0.12)


def rounded(places: Sequence[float]) -> list[str]:
    """Evenly spaced numbers with the digits that tell them apart."""
    if len(places) < 2 or not 1e-6 <= max(map(abs, places)) < 1e6:
        return [f"{place:.6g}" for place in places]
    step = places[1] - places[0]
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return [f"{place:.{digits}f}" for place in places]


def _inches(axes: Any) -> tuple[float, float]:
    width, height = axes.figure.get_size_inches()
    place = axes.get_position()
    return width * place.width, height * place.height


def _along(axes: Any, axis: str, places: Sequence[float], texts: Sequence[str], slanted: bool = False) -> None:
    width, height = _inches(axes)
    if axis == "x":
        axes.set_xticks([])
        side = {"ha": "right", "rotation": 45, "rotation_mode": "anchor"} if slanted else {"ha": "center"}
        for place, text in zip(places, texts, strict=True):
            axes.text(place, -NEAR / height, text, transform=axes.get_xaxis_transform(), va="top", **side)
    else:
        axes.set_yticks([])
        for place, text in zip(places, texts, strict=True):
            axes.text(-NEAR / width, place, text, transform=axes.get_yaxis_transform(), ha="right", va="center")


def _what(axes: Any, below: str, beside: str, under: float, left: float) -> None:
    width, height = _inches(axes)
    if below:
        axes.text(0.5, -under / height, below, transform=axes.transAxes, ha="center", va="center")
    if beside:
        axes.text(-left / width, 0.5, beside, transform=axes.transAxes, ha="center", va="center", rotation=90)

"""Curves of cells as SVG: a mean with its band for each, the many others thin and grey behind."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assay.review.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Scale, axes, reach, tenth
from assay.review.comparison.measured import Band
from assay.review.html import Html, tag
from assay.review.numerals import short

COLOURS = 8
"""Colours that the colour-blind tell apart; a ninth line has the first colour again, and dashes."""

_EARLY = 0.2  # of the steps: how high or low a curve begins does not choose the frame
_RISE = 30.0  # a loss that falls so many times is drawn on a logarithmic axis


@dataclass(frozen=True)
class Line:
    """One cell in a chart; ``number`` chooses its colour."""

    name: str
    band: Band
    number: int = 0


def style(number: int) -> str:
    """The classes of the n-th line."""
    return f"c{number % COLOURS}" + (" d" if number % (2 * COLOURS) >= COLOURS else "")


def bands(title: str, lines: Sequence[Line], others: Sequence[Band], *, loss: bool = False, said: str = "") -> Html:
    """The chart of one metric. ``loss``: on a logarithmic axis where it falls far."""
    drawn = [one.band for one in lines] + list(others)
    start, end = min(one.step[0] for one in drawn), max(one.step[-1] for one in drawn)
    late = [value for one in drawn for value in one.mean[one.step >= start + _EARLY * (end - start)]]
    late = late or [value for one in drawn for value in one.mean]
    for one in lines:
        kept = ~np.isnan(one.band.half) & (one.band.step >= start + _EARLY * (end - start))
        late += [*(one.band.mean - one.band.half)[kept], *(one.band.mean + one.band.half)[kept]]
    log = loss and min(late) > 0 and max(late) / min(late) > _RISE
    x = reach([float(start), float(end)], LEFT, WIDTH - RIGHT, pad=0.02)
    y = reach([float(value) for value in late], HEIGHT - BOTTOM, TOP, log)
    inner = [tag("path", d=_path(one.step, one.mean, x, y), class_="line other") for one in others]
    inner += [_area(one.band, x, y, one.number) for one in reversed(lines)]  # the first lies on top
    for one in reversed(lines):
        inner.append(tag("path", d=_path(one.band.step, one.band.mean, x, y), class_=f"line {style(one.number)}"))
        if len(one.band.step) == 1:
            at = {"cx": tenth(x(one.band.step[0])), "cy": tenth(y(one.band.mean[0]))}
            inner.append(tag("circle", r=3, class_=f"dot {style(one.number)}", **at))
    box = {"x": LEFT, "y": TOP, "width": WIDTH - LEFT - RIGHT, "height": HEIGHT - TOP - BOTTOM}
    frame = tag("svg", *inner, viewBox=" ".join(str(one) for one in box.values()), **box)
    words = f"{title} over optimiser steps, {len(lines)} cells. {said}"
    chart = tag(
        "svg",
        *axes(x, y, "optimiser steps", ""),
        frame,
        tag("g", class_="cursor"),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=words,
        class_="plot",
        data_series=json.dumps([_data(one, x, y) for one in lines], separators=(",", ":"), ensure_ascii=False),
        tabindex="0",
    )
    told = " (logarithmic)" if log else ""
    return tag(
        "figure", tag("figcaption", title + told), chart, tag("output", "", class_="readout"), class_="chart bands"
    )


def legend(names: Sequence[str], others: int = 0, shared: str = "") -> Html:
    """One for all charts of a section: which line is which cell; ``shared`` is what all but the others have."""
    items = [tag("li", _key(f"line {style(number)}"), name) for number, name in enumerate(names)]
    if others:
        items.append(tag("li", _key("line other"), f"{others} others"))
    told = tag("p", "All with ", tag("code", shared), class_="small") if shared else None
    return Html((told or "") + tag("ul", items, class_="legend"))


def _key(style_: str) -> Html:
    line = tag("line", x1=0, x2=22, y1=5, y2=5, class_=style_)
    return tag("svg", line, viewBox="0 0 22 10", class_="key", aria_hidden="true")


def _path(steps: np.ndarray, values: np.ndarray, x: Scale, y: Scale) -> str:
    return "M" + "L".join(f"{tenth(x(a))} {tenth(_y(y, b))}" for a, b in zip(steps, values, strict=True))


def _y(y: Scale, value: float) -> float:
    """Far outside the frame is far enough: no number grows beyond it, and a logarithm has one."""
    if y.log and value <= 0:
        return 2 * HEIGHT
    return min(max(y(float(value)), -HEIGHT), 2 * HEIGHT)


def _area(band: Band, x: Scale, y: Scale, number: int) -> Html:
    kept = ~np.isnan(band.half)
    if kept.sum() < 2:
        return Html("")
    steps, mean, half = band.step[kept], band.mean[kept], band.half[kept]
    up = [(x(a), _y(y, b)) for a, b in zip(steps, mean + half, strict=True)]
    down = [(x(a), _y(y, b)) for a, b in zip(steps, mean - half, strict=True)]
    d = "M" + "L".join(f"{tenth(a)} {tenth(b)}" for a, b in [*up, *reversed(down)]) + "Z"
    return tag("path", d=d, class_=f"area f{number % COLOURS}")


def _data(line: Line, x: Scale, y: Scale) -> dict[str, object]:
    points = []
    band = line.band
    for step, epoch, mean, half, runs in zip(band.step, band.epoch, band.mean, band.half, band.runs, strict=True):
        told = short(float(f"{mean:.4g}"))
        if math.isfinite(half):
            told += f" ± {float(half):.2g}"
        if runs < band.runs.max():
            told += f" ({runs} runs)"
        at = min(max(_y(y, mean), TOP), HEIGHT - BOTTOM)
        points.append([round(float(step)), round(float(epoch)), told, tenth(x(step)), tenth(at)])
    return {"name": line.name, "points": points}

"""Parallel coordinates: an axis for each setting that varies, the score on the last, a line for each cell.

Where cells share a value, their lines meet it side by side in the order of their scores, so that a good value shows by
its colours. The script lets a reader pick a range or a value of an axis; without it, the chart stands as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from assay.lifecycle.records import natural
from assay.review import numerals
from assay.review.charts import Scale, nice, reach, tenth
from assay.review.comparison.ranked import Ranked, better
from assay.review.html import Html, tag
from assay.review.page import scroll

SHADES = 5
"""Colours from the worst fifth of the cells to the best."""

_HEIGHT, _TOP, _BOTTOM, _SIDE, _GAP = 330, 46, 20, 70, 150
_LINES = 600
_AXES = 9
_VALUES = 14  # of an axis whose values all have a place of their own
_WIDE = 0.62  # of the room between two values, taken by the lines that meet one
_RATIO = 30.0  # of the largest number to the smallest, from which an axis is logarithmic
_LETTERS = 16


@dataclass(frozen=True)
class Axis:
    """One axis: the place of each cell, and its ticks (place, words)."""

    name: str
    places: list[float]
    ticks: list[tuple[float, str]]
    picks: bool


def coordinates(group: Ranked, most_varied: Sequence[str] = ()) -> list[Html]:
    """Empty where fewer than two keys vary, or fewer than three cells have a score.

    Args:
        most_varied: keys in the order in which their axes stand; those not named keep theirs.
    """
    count = min(group.scored, _LINES)
    keys = sorted(
        group.group.varied, key=lambda key: most_varied.index(key) if key in most_varied else len(most_varied)
    )
    if len(keys) < 2 or count < 3:
        return []
    axes = [_axis(group, key, count) for key in keys[: _AXES - 1]]
    axes.append(_scores(group, count))
    width = 2 * _SIDE + _GAP * (len(axes) - 1)
    xs = [_SIDE + _GAP * number for number in range(len(axes))]
    lines = []
    for place in reversed(range(count)):  # the best lies on top
        points = " ".join(f"{x},{tenth(axis.places[place])}" for x, axis in zip(xs, axes, strict=True))
        score = group.scores[place]
        words = f"{group.cells[place].name}: {numerals.score(score.mean if score else None)}"
        lines.append(
            tag("polyline", tag("title", words), points=points, class_=f"p{_shade(place, count)}", data_cell=place)
        )
    drawn = [
        tag("g", lines, class_="lines"),
        *(_drawn(axis, x, number) for number, (axis, x) in enumerate(zip(axes, xs, strict=True))),
    ]
    said = f"Parallel coordinates of {count} cells over {', '.join(axis.name for axis in axes)}, as in the score table."
    chart = tag(
        "svg",
        drawn,
        viewBox=f"0 0 {width} {_HEIGHT}",
        role="img",
        aria_label=said,
        class_="parallel",
        style=f"min-width:{0.75 * width:.0f}px;max-width:{1.2 * width:.0f}px",
    )
    left = [] if count == group.scored else [f"the {count} best of {group.scored} cells"]
    left += [f"without {', '.join(keys[_AXES - 1 :])}"] if len(keys) >= _AXES else []
    caption = f"A line for each cell, dark where it scores best ({group.metric}, {better(group.group.mode == 'min')})"
    caption += f"; {'; '.join(left)}" if left else ""
    key = [tag("span", "", class_=f"swatch p{shade}") for shade in range(SHADES)]
    legend = tag("p", "worst fifth ", key, " best fifth", class_="small shades")
    return [
        tag("p", f"{caption}.", class_="caption"),
        scroll(chart, "parallel coordinates"),
        tag("output", "", class_="picked small"),
        legend,
    ]


def _shade(place: int, count: int) -> int:
    """The best cell has the last shade."""
    return SHADES - 1 - min(SHADES * place // max(count, 1), SHADES - 1)


def _axis(group: Ranked, key: str, count: int) -> Axis:
    texts = [cell.settings.get(key) for cell in group.cells[:count]]
    numbers = [number_of(text) for text in texts]
    known = sorted({value for value in numbers if value is not None})
    low, high = _HEIGHT - _BOTTOM, _TOP
    if len(known) > _VALUES and all(value is not None for value in numbers):
        log = known[0] > 0 and known[-1] / known[0] > _RATIO
        scale = reach(known, low, high, log, pad=0.02)
        ticks = [(scale(value), numerals.short(value)) for value in scale.ticks(5)]
        return Axis(key, [scale(value) for value in numbers if value is not None], ticks, picks=False)
    values = sorted(dict.fromkeys(text if text is not None else "–" for text in texts), key=natural)
    return _by_value(key, [text if text is not None else "–" for text in texts], values)


def _by_value(key: str, texts: Sequence[str], values: Sequence[str]) -> Axis:
    """Values evenly apart, the lines of each side by side: the best on top."""
    room = (_HEIGHT - _BOTTOM - _TOP) / len(values)
    middle = {value: _HEIGHT - _BOTTOM - room * (number + 0.5) for number, value in enumerate(values)}
    members = {value: [place for place, text in enumerate(texts) if text == value] for value in values}
    places = [0.0] * len(texts)
    for value, cells in members.items():
        for order, place in enumerate(cells):  # cells come best first
            spread = 0.0 if len(cells) == 1 else (order / (len(cells) - 1) - 0.5) * _WIDE * min(room, 8.0 * len(cells))
            places[place] = middle[value] + spread
    return Axis(key, places, [(middle[value], value) for value in values], picks=True)


def _scores(group: Ranked, count: int) -> Axis:
    """Of the metric: the best on top. The worst twentieth stand at the foot rather than press the others together."""
    found = [one.mean for one in group.scores[:count] if one is not None]
    kept = found[: max(2, round(0.95 * count))]
    scale = reach(kept, _HEIGHT - _BOTTOM, _TOP)
    if group.group.mode == "min":
        scale = Scale(scale.low, scale.high, scale.end, scale.start)
    places = [min(max(scale(value), _TOP), _HEIGHT - _BOTTOM) for value in found]
    ticks = [(scale(value), numerals.short(float(f"{value:.6g}"))) for value in nice(scale.low, scale.high, 5)]
    return Axis(group.metric, places, ticks, picks=False)


def _drawn(axis: Axis, x: float, number: int) -> Html:
    inner = [tag("line", x1=x, x2=x, y1=_TOP, y2=_HEIGHT - _BOTTOM, class_="axis")]
    for place, words in axis.ticks:
        cut = words if len(words) <= _LETTERS else words[: _LETTERS - 1] + "…"
        label = tag("text", tag("title", words), cut, x=x + 6, y=tenth(place), dy="0.32em", class_="tick halo")
        inner.append(tag("g", label, class_="value", data_y=tenth(place)) if axis.picks else label)
    room = (_HEIGHT - _BOTTOM - _TOP) / max(len(axis.ticks), 1)
    name = axis.name if len(axis.name) <= 22 else "…" + axis.name[-21:]
    inner.append(tag("text", tag("title", axis.name), name, x=x, y=_TOP - 20, class_="name middle"))
    return tag("g", inner, class_="coordinate", data_axis=number, data_x=x, data_room=tenth(room / 2))


def number_of(text: str | None) -> float | None:
    """A finite number, where the text is one."""
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None

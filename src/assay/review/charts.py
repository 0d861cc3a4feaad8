"""Charts as SVG, drawn here: lines, points, bars, and the strip of one score. No library, no script needed to see them.

Each is a ``figure`` with its title, a legend that tells series apart by dashes too, and a sentence that says what it
shows to who cannot see it. Lines carry their points as data, which the page's script reads out under the pointer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from assay.review.html import Html, tag
from assay.review.numerals import short
from assay.review.scores import Interval

WIDTH, HEIGHT = 460, 236
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 12, 38
MOST_POINTS = 400  # of one line
STYLES = 6  # colours with dashes; the page's style sheet has as many


@dataclass(frozen=True)
class Scale:
    """Values -> places, linear or logarithmic."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self._t(self.low), self._t(self.high)
        return self.start + (self._t(value) - low) / (high - low) * (self.end - self.start)

    def _t(self, value: float) -> float:
        return math.log10(value) if self.log else value

    def ticks(self, about: int) -> list[float]:
        if self.log:
            first, last = math.ceil(self._t(self.low) - 1e-9), math.floor(self._t(self.high) + 1e-9)
            every = max(1, math.ceil((last - first + 1) / about))
            return [10.0**power for power in range(first, last + 1, every)]
        return nice(self.low, self.high, about)


def nice(low: float, high: float, about: int) -> list[float]:
    """Round numbers between low and high: multiples of 1, 2 or 5 times a power of ten."""
    raw = (high - low) / max(about, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((m * power for m in (1, 2, 5) if m * power >= raw * 0.999), 10 * power)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def reach(values: Sequence[float], start: float, end: float, log: bool = False, pad: float = 0.04) -> Scale:
    """A scale over finite values, never empty."""
    low, high = min(values), max(values)
    if log:
        return Scale(low / 1.25, high * 1.25, start, end, True)
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        room = abs(low) * 0.1 or 1.0
        return Scale(low - room, high + room, start, end)
    room = pad * (high - low)
    return Scale(low - room, high + room, start, end)


@dataclass(frozen=True)
class Series:
    """One line: its name and (step, epoch, value), in order."""

    name: str
    points: Sequence[tuple[int, int, float]]


def thin(points: Sequence[tuple[int, int, float]], most: int = MOST_POINTS) -> list[tuple[int, int, float]]:
    """At most ``most`` points: the lowest and highest of each stretch, so that no spike is lost."""
    if len(points) <= most:
        return list(points)
    buckets = (most - 2) // 2
    kept = {0, len(points) - 1}
    for bucket in range(buckets):
        stretch = range(bucket * len(points) // buckets, (bucket + 1) * len(points) // buckets)
        kept.add(min(stretch, key=lambda place: points[place][2]))
        kept.add(max(stretch, key=lambda place: points[place][2]))
    return [points[place] for place in sorted(kept)]


def lines(title: str, series: Sequence[Series], *, log: bool = False, best: tuple[int, str] | None = None) -> Html:
    """Curves over optimiser steps. ``best`` is a step to mark, and its words."""
    drawn: list[Series] = []
    left_out = 0
    for one in series:
        finite = [point for point in one.points if math.isfinite(point[2]) and (point[2] > 0 or not log)]
        left_out += len(one.points) - len(finite)
        if finite:
            drawn.append(Series(one.name, thin(finite)))
    if not drawn:
        return tag("p", f"{title}: no finite value was logged.", class_="note")
    x = reach([p[0] for one in drawn for p in one.points], LEFT, WIDTH - RIGHT, pad=0.02)
    y = reach([p[2] for one in drawn for p in one.points], HEIGHT - BOTTOM, TOP, log)
    marks = []
    if best is not None and x.low <= best[0] <= x.high:
        at = x(best[0])
        marks.append(tag("line", x1=tenth(at), x2=tenth(at), y1=TOP, y2=HEIGHT - BOTTOM, class_="best"))
    paths = [_path(number, one, x, y) for number, one in enumerate(drawn)]
    data = [
        {"name": one.name, "points": [[s, e, _value(v), tenth(x(s)), tenth(y(v))] for s, e, v in one.points]}
        for one in drawn
    ]
    said = "; ".join(map(_in_words, drawn))
    if left_out:
        said += f"; {left_out} values that are not finite are left out"
    chart = _svg(
        f"{title} over optimiser steps. {said}.",
        [*axes(x, y, "optimiser steps", ""), *marks, *paths, tag("g", class_="cursor")],
        data_series=json.dumps(data, separators=(",", ":")),
        tabindex="0",
    )
    legend = [_key(number, one.name) for number, one in enumerate(drawn)] if len(drawn) > 1 else []
    if marks and best is not None:
        legend.append(tag("li", tag("span", class_="key best"), best[1]))
    return tag(
        "figure",
        tag("figcaption", title),
        tag("ul", legend, class_="legend") if legend else None,
        chart,
        tag("output", "", class_="readout"),
        class_="chart",
    )


def _path(number: int, one: Series, x: Scale, y: Scale) -> Html:
    places = [(x(step), y(value)) for step, _, value in one.points]
    style = f"s{number % STYLES}"
    drawn = [tag("path", d="M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in places), class_=f"line {style}")]
    if len(places) <= 30:
        drawn += [tag("circle", cx=tenth(a), cy=tenth(b), r=2.2, class_=f"dot {style}") for a, b in places]
    return Html("".join(drawn))


def _in_words(one: Series) -> str:
    first, last = one.points[0], one.points[-1]
    low, high = min(one.points, key=lambda p: p[2]), max(one.points, key=lambda p: p[2])
    if len(one.points) == 1:
        return f"{one.name}: {short(first[2])} at step {first[0]}, the only point"
    return (
        f"{one.name}: from {short(first[2])} at step {first[0]} to {short(last[2])} at step {last[0]}, "
        f"lowest {short(low[2])} at step {low[0]}, highest {short(high[2])} at step {high[0]}"
    )


def scatter(
    title: str, points: Sequence[tuple[float, float, str]], across: str, up: str, said: str, *, diagonal: bool
) -> Html:
    """Points (across, up, words); the line is where up equals across, or where it is 0."""
    if diagonal:
        both = [value for point in points for value in point[:2]]
        x, y = reach(both, LEFT, WIDTH - RIGHT), reach(both, HEIGHT - BOTTOM, TOP)
    else:
        x = reach([point[0] for point in points], LEFT, WIDTH - RIGHT)
        y = reach([0.0, *(point[1] for point in points)], HEIGHT - BOTTOM, TOP)
    ends = (x.low, x.high) if diagonal else (0.0, 0.0)
    right = tag(
        "line", x1=tenth(x(x.low)), x2=tenth(x(x.high)), y1=tenth(y(ends[0])), y2=tenth(y(ends[1])), class_="right"
    )
    dots = [
        tag("circle", tag("title", words), cx=tenth(x(a)), cy=tenth(y(b)), r=2.4, class_="cloud")
        for a, b, words in points
    ]
    return _figure(title, _svg(f"{title}. {said}", [*axes(x, y, across, up), right, *dots]))


def bars(title: str, edges: Sequence[float], counts: Sequence[int], across: str, said: str) -> Html:
    """A histogram; a line marks 0 where it lies within."""
    x = Scale(edges[0], edges[-1], LEFT, WIDTH - RIGHT)
    y = Scale(0, max(counts) * 1.05 or 1, HEIGHT - BOTTOM, TOP)
    drawn = []
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        if count:
            words = f"{short(low)} to {short(high)}: {count}"
            place = {"x": tenth(x(low) + 0.5), "width": tenth(max(x(high) - x(low) - 1, 0.5))}
            height = {"y": tenth(y(count)), "height": tenth(y(0) - y(count))}
            drawn.append(tag("rect", tag("title", words), class_="bar", **place, **height))
    if edges[0] < 0 < edges[-1]:
        drawn.append(tag("line", x1=tenth(x(0)), x2=tenth(x(0)), y1=TOP, y2=HEIGHT - BOTTOM, class_="right"))
    return _figure(title, _svg(f"{title}. {said}", [*axes(x, y, across, "examples"), *drawn]))


def reliability(title: str, found: Sequence[tuple[float, float, int, Interval]], said: str) -> Html:
    """Share answered right over probability given: (probability, share, examples, interval) a bin; the diagonal is
    perfect calibration, a dot's area the number of examples."""
    x, y = Scale(0, 1, LEFT, WIDTH - RIGHT), Scale(0, 1, HEIGHT - BOTTOM, TOP)
    most = max(count for _, _, count, _ in found)
    drawn = [tag("line", x1=tenth(x(0)), x2=tenth(x(1)), y1=tenth(y(0)), y2=tenth(y(1)), class_="right")]
    for confidence, accuracy, count, interval in found:
        at = tenth(x(confidence))
        words = f"probability {confidence:.2f}, right {accuracy:.2f}, {count} examples"
        drawn.append(tag("line", x1=at, x2=at, y1=tenth(y(interval.low)), y2=tenth(y(interval.high)), class_="whisker"))
        radius = tenth(2 + 6 * math.sqrt(count / most))
        drawn.append(tag("circle", tag("title", words), cx=at, cy=tenth(y(accuracy)), r=radius, class_="dot s0 filled"))
    return _figure(title, _svg(f"{title}. {said}", [*axes(x, y, "probability given", "share right"), *drawn]))


def strip(value: float, interval: Interval | None, baseline: float | None, train: float | None) -> Html:
    """A score between 0 and 1 on a line: dot, interval, and ticks for baseline and training; beside its numbers."""
    x = Scale(0, 1, 6, 154)
    drawn = [tag("line", x1=6, x2=154, y1=10, y2=10, class_="track")]
    if interval is not None:
        drawn.append(tag("line", x1=tenth(x(interval.low)), x2=tenth(x(interval.high)), y1=10, y2=10, class_="range"))
    for mark, style in ((baseline, "baseline"), (train, "train")):
        if mark is not None and 0 <= mark <= 1:
            drawn.append(tag("line", x1=tenth(x(mark)), x2=tenth(x(mark)), y1=3, y2=17, class_=style))
    drawn.append(tag("circle", cx=tenth(x(value)), cy=10, r=3.5, class_="value"))
    return tag("svg", *drawn, viewBox="0 0 160 20", class_="strip", aria_hidden="true", focusable="false")


def _figure(title: str, chart: Html) -> Html:
    return tag("figure", tag("figcaption", title), chart, class_="chart")


def _svg(said: str, inner: Sequence[Html], **more: str) -> Html:
    return tag("svg", *inner, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=said, class_="plot", **more)


def axes(x: Scale, y: Scale, across: str, up: str) -> list[Html]:
    """Ticks and labels of both axes."""
    drawn = []
    for value in y.ticks(5):
        at = tenth(y(value))
        drawn.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=at, y2=at, class_="grid"))
        drawn.append(tag("text", short(value), x=LEFT - 6, y=at, dy="0.32em", class_="tick end"))
    for value in x.ticks(5):
        drawn.append(tag("text", short(value), x=tenth(x(value)), y=HEIGHT - BOTTOM + 15, class_="tick middle"))
    drawn.append(tag("text", across, x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 6, class_="label middle"))
    if up:
        middle = (TOP + HEIGHT - BOTTOM) / 2
        drawn.append(tag("text", up, transform=f"translate(12 {tenth(middle)}) rotate(-90)", class_="label middle"))
    return drawn


def _key(number: int, name: str) -> Html:
    line = tag("line", x1=0, x2=22, y1=5, y2=5, class_=f"line s{number % STYLES}")
    return tag("li", tag("svg", line, viewBox="0 0 22 10", class_="key", aria_hidden="true"), name)


def tenth(value: float) -> float | int:
    """A place, to a tenth of a unit."""
    rounded = round(value, 1)
    return int(rounded) if rounded == int(rounded) else rounded


def _value(value: float) -> float:
    return float(f"{value:.6g}")

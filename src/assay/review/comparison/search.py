"""A search: the score of each trial in the order they began, the best so far, trials that were pruned, tuned values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from assay.lifecycle.records import Record, natural
from assay.review import numerals
from assay.review.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, axes, reach, tenth
from assay.review.comparison.measured import Band, band, curves
from assay.review.comparison.ranked import Ranked
from assay.review.comparison.tree import Tree
from assay.review.html import Html, tag
from assay.sweeps.ledger.job_folders import POINT

_MOST = 300  # curves that are drawn
_SHADOW = 0.1  # of the trials: so many of the worst do not choose the frame


@dataclass(frozen=True)
class Trial:
    """One point of a search.

    Attributes:
        number: in the order they began, from 1.
        state: done, pruned, or how else it ended.
        value: the monitored metric at its best, the mean over its runs; None where it has none.
        band: of the monitored metric over steps.
    """

    number: int
    name: str
    state: str
    value: float | None
    band: Band | None


def searched(tree: Tree, group: Ranked) -> list[Html]:
    """Empty where nothing searched."""
    found = trials(tree, group)
    if len(found) < 2:
        return []
    drawn = [_values(group, found)]
    if any(one.state == "pruned" for one in found):
        drawn.append(_curves(group, found))
    legend = tag(
        "p",
        "Filled: done. Hollow: pruned, at its best. Line: the best so far, of those that were done.",
        class_="small",
    )
    return [tag("p", _said(group, found)), tag("div", drawn, class_="charts"), legend]


def trials(tree: Tree, group: Ranked) -> list[Trial]:
    """Of this group's search: its runs, and those that never became comparable since they were pruned or failed."""
    members: dict[str, list[Record]] = {}
    names = {one.folder: cell.name for cell in group.cells for one in cell.runs}
    pruned = {one.folder for one in tree.records if one.status == "pruned"}
    searching = bool(pruned)
    for one in sorted(tree.records, key=lambda record: natural(str(record.folder))):
        if one.folder not in names and not (one.status in ("pruned", "failed") and _same_data(one, group)):
            continue
        point = point_of(one)
        if point.get("role") == "trial" or (searching and not point):
            searching = True
            key = (
                json.dumps(point["cell"], sort_keys=True)
                if point.get("cell")
                else names.get(one.folder, str(one.folder))
            )
            members.setdefault(key, []).append(one)
    if not searching:
        return []
    return [_trial(number, runs, group, names) for number, runs in enumerate(members.values(), start=1)]


def _trial(number: int, runs: Sequence[Record], group: Ranked, names: dict[Any, str]) -> Trial:
    found = [made[group.metric] for one in runs if group.metric in (made := curves(one.folder, [group.metric]))]
    states = {one.status for one in runs}
    state = "pruned" if "pruned" in states else "done" if states == {"done"} else next(iter(sorted(states - {"done"})))
    values = [float(value) for one in runs if isinstance(value := one.summary.get(group.metric), int | float)]
    if not values and state == "pruned":
        values = [float(one.value.min() if group.group.mode == "min" else one.value.max()) for one in found]
    name = next((names[one.folder] for one in runs if one.folder in names), _typed(runs[0]))
    return Trial(number, name, state, fmean(values) if values else None, band(found))


def _same_data(record: Record, group: Ranked) -> bool:
    return str(record.switches.get("data")) == group.group.data


def point_of(record: Record) -> dict[str, Any]:
    """What a job's folder says of its point: its role and cell among others; nothing outside of a sweep."""
    try:
        found = json.loads((record.folder / POINT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _typed(record: Record) -> str:
    return " ".join(f"{key}={value}" for key, value in record.typed().items()) or record.folder.name


def _said(group: Ranked, found: Sequence[Trial]) -> str:
    done = [one for one in found if one.state == "done" and one.value is not None]
    pruned = sum(one.state == "pruned" for one in found)
    told = f"{numerals.count(len(found), 'trial')}: {len(done)} done, {pruned} pruned"
    others = len(found) - len(done) - pruned
    told += f", {others} that came to nothing. " if others else ". "
    if not done:
        return told
    sign = -1 if group.group.mode == "max" else 1
    best = min(done, key=lambda one: (sign * (one.value or 0.0), one.name != group.cells[0].name, one.number))
    told += f"The best, number {best.number}, is {numerals.score(best.value)} ({best.name}). "
    after = len(found) - best.number
    if after:
        told += f"The {numerals.count(after, 'trial')} after it found nothing better. "
    else:
        told += "It was the last: more trials may find a better one. "
    longest = max((float(one.band.step[-1]) for one in found if one.band is not None), default=0.0)
    if pruned and longest:
        spent = sum(float(one.band.step[-1]) for one in found if one.band is not None)
        share = spent / (longest * len(found))
        told += f"With pruning it took {100 * share:.0f} % of the steps that all trials in full would have taken."
    return told


def _values(group: Ranked, found: Sequence[Trial]) -> Html:
    """Value over trial, with the best so far."""
    known = [(one, one.value) for one in found if one.value is not None]
    ordered = sorted((value for _, value in known), reverse=group.group.mode == "max")
    kept = ordered[: max(2, round((1 - _SHADOW) * len(ordered)))]
    x = reach([1.0, float(len(found))], LEFT, WIDTH - RIGHT, pad=0.03)
    y = reach(kept or [0.0], HEIGHT - BOTTOM, TOP)
    drawn, steps, best = [], [], None
    for one, value in known:
        at = tenth(min(max(y(value), TOP), HEIGHT - BOTTOM))
        words = tag("title", f"trial {one.number}, {one.state}: {numerals.score(value)}. {one.name}")
        drawn.append(tag("circle", words, cx=tenth(x(one.number)), cy=at, r=3, class_=f"trial {one.state}"))
        if one.state == "done" and (best is None or (value < best if group.group.mode == "min" else value > best)):
            steps.append((one.number, best, value))
            best = value
    path = _staircase(steps, len(found), x, y)
    for one in found:
        if one.value is None:
            words = tag("title", f"trial {one.number}: {one.state}. {one.name}")
            drawn.append(tag("circle", words, cx=tenth(x(one.number)), cy=HEIGHT - BOTTOM, r=3, class_="trial failed"))
    said = f"{group.metric} of {len(found)} trials in the order they began; the best is {numerals.score(best)}."
    chart = tag(
        "svg",
        *axes(x, y, "trial", ""),
        *([tag("path", d=path, class_="so-far")] if path else []),
        *drawn,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=said,
        class_="plot",
    )
    return tag("figure", tag("figcaption", f"{group.metric} of each trial"), chart, class_="chart")


def _staircase(steps: Sequence[tuple[int, float | None, float]], last: int, x: Any, y: Any) -> str:
    def at(value: float) -> float:
        return tenth(min(max(y(value), TOP), HEIGHT - BOTTOM))

    path = ""
    for number, before, value in steps:
        path += f"M{tenth(x(number))} {at(value)}" if before is None else f"H{tenth(x(number))}V{at(value)}"
    return f"{path}H{tenth(x(last))}" if path else ""


def _curves(group: Ranked, found: Sequence[Trial]) -> Html:
    """A thin line for each trial; those of pruned ones end early, with a dot."""
    shown = [(one, one.band) for one in found if one.band is not None][:_MOST]
    ends = sorted((float(made.mean[-1]) for _, made in shown), reverse=group.group.mode == "max")
    kept = ends[: max(2, round((1 - _SHADOW) * len(ends)))]
    x = reach([min(float(b.step[0]) for _, b in shown), max(float(b.step[-1]) for _, b in shown)], LEFT, WIDTH - RIGHT)
    y = reach(kept, HEIGHT - BOTTOM, TOP)

    def at(value: float) -> float:
        return tenth(min(max(y(float(value)), -HEIGHT), 2 * HEIGHT))

    drawn = []
    for one, made in sorted(shown, key=lambda pair: pair[0].state == "pruned"):
        points = "L".join(f"{tenth(x(float(a)))} {at(b)}" for a, b in zip(made.step, made.mean, strict=True))
        style = "pruned" if one.state == "pruned" else "other"
        drawn.append(
            tag(
                "path",
                tag("title", f"trial {one.number}, {one.state}. {one.name}"),
                d=f"M{points}",
                class_=f"line {style}",
            )
        )
        if one.state == "pruned":
            place = {"cx": tenth(x(float(made.step[-1]))), "cy": at(made.mean[-1])}
            drawn.append(tag("circle", r=2.4, class_="trial pruned", **place))
    box = {"x": LEFT, "y": TOP, "width": WIDTH - LEFT - RIGHT, "height": HEIGHT - TOP - BOTTOM}
    frame = tag("svg", *drawn, viewBox=" ".join(map(str, box.values())), **box)
    said = f"{group.metric} over optimiser steps of {len(shown)} trials; pruned ones end early."
    size = {"viewBox": f"0 0 {WIDTH} {HEIGHT}"}
    chart = tag("svg", *axes(x, y, "optimiser steps", ""), frame, role="img", aria_label=said, class_="plot", **size)
    left = f", {len(shown)} of them" if len(shown) < len(found) else ""
    return tag("figure", tag("figcaption", f"{group.metric} as trials learnt{left}"), chart, class_="chart")

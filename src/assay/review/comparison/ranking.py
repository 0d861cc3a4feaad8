"""The score table: every cell with its mean and interval, best first, and its difference to one of them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from assay.review import numerals
from assay.review.charts import Scale, tenth
from assay.review.comparison.ranked import Ranked, better, gap, p_told, plus_minus, told
from assay.review.html import Child, Html, tag
from assay.review.page import facts, scroll
from assay.sweeps.tables.comparison import Comparison
from assay.sweeps.tables.statistics import Estimate

LONG = 30
"""Rows that stand there at once; the others come on a click."""

_COMPARED = 1500  # comparisons of all baselines that can be chosen
_BASELINES = 12
_TEXT = 40  # letters of a value


def ranking(group: Ranked) -> list[Html]:
    """The table, what its columns mean, and notes on what its runs do not share."""
    body: list[Html] = []
    baseline = group.baseline
    keys = group.group.varied
    count = len(group.cells)
    choices = _choices(group, baseline)
    found = {place: group.to_best if place == 0 else group.compared(place) for place in choices}
    heads = [
        *(_head(key) for key in keys),
        _head("runs", right=True),
        _head(group.metric, better(group.group.mode == "min"), right=True),
        tag("th", _span_of(group), scope="col", class_="strip"),
        *([_head(group.test_metric, "only reported", right=True)] if group.test_metric else []),
        _head(_difference_name(group), "to the baseline", right=True, class_="to"),
        _head("p", "corrected", right=True),
        _head("time", "of a run", right=True),
    ]
    scale = _scale(group)
    rows = [_row(group, place, found[baseline][place], baseline, scale) for place in range(count)]
    caption = [
        f"{numerals.count(count, 'cell')}, the best first by ",
        tag("code", group.metric),
        ". Differences are to ",
        tag("span", group.cells[baseline].name, class_="to-name"),
        f", over runs with the same seed{' and fold' if group.group.folds else ''}.",
    ]
    table = tag(
        "table",
        tag("thead", tag("tr", heads)),
        tag("tbody", rows),
        class_="ranking sortable" + (" long" if count > LONG else ""),
        data_differences=_packed(group, found) if len(choices) > 1 else None,
        data_baseline=baseline,
    )
    if count > LONG:
        more = tag("label", tag("input", type="checkbox", class_="all"), f" all {count} rows", class_="more")
        table = Html(more + scroll(table, "scores of every cell"))
    else:
        table = scroll(table, "scores of every cell")
    body.append(tag("p", caption, class_="caption"))
    body.append(tag("div", table, class_="ranked"))
    body.append(tag("ul", [tag("li", note) for note in (*_explained(group), *group.group.notes)], class_="small"))
    if group.group.fixed:
        pairs = [(key, tag("code", _most(value, 200))) for key, value in group.group.fixed.items()]
        body.append(tag("details", tag("summary", "What all of them share"), facts(pairs)))
    return body


def _difference_name(group: Ranked) -> str:
    return "test difference" if group.test_metric else "difference"


def _choices(group: Ranked, baseline: int) -> list[int]:
    """The cells that can be the baseline: the one asked for, the best, then as many of the next as is quick."""
    most = max(2, min(_BASELINES, _COMPARED // max(group.scored, 1)))
    return list(dict.fromkeys([baseline, *range(min(most, group.scored))]))


def _head(text: str, small: str | None = None, *, right: bool = False, class_: str = "") -> Html:
    under = tag("span", _most(small), class_="small") if small else None
    return tag("th", text, under, scope="col", class_=f"{'n ' if right else ''}{class_}".strip() or None)


def _row(group: Ranked, place: int, found: Comparison | None, baseline: int, scale: Scale | None) -> Html:
    cell, score, test = group.cells[place], group.scores[place], group.tests[place]
    seconds = _median([one.summary.get("seconds") for one in cell.runs])
    cells: list[Html] = []
    for number, key in enumerate(group.group.varied):
        value = cell.settings.get(key)
        attributes: dict[str, object] = {"data_v": value, "title": value if value and len(value) > _TEXT else None}
        text = tag("code", _most(value)) if value is not None else "–"
        cells.append(tag("th", text, scope="row", **attributes) if number == 0 else tag("td", text, **attributes))
    if not group.group.varied:
        cells.append(tag("th", "all runs", scope="row"))
    cells.append(_figure(str(len(cell.runs)), len(cell.runs)))
    cells.append(_figure(told(score), score.mean if score else None, strong=place == 0))
    cells.append(tag("td", _strip(score, scale), class_="strip"))
    if group.test_metric:
        cells.append(_figure(told(test), test.mean if test else None))
    cells += _difference(found, place == baseline)
    cells.append(_figure(numerals.duration(seconds) if seconds is not None else "–", seconds))
    return tag("tr", cells, class_="best-row" if place == 0 and score is not None else None, data_cell=place)


def _figure(text: Child, value: float | None, *, strong: bool = False, class_: str = "") -> Html:
    shown = tag("strong", text) if strong else text
    return tag("td", shown, class_=f"n {class_}".rstrip(), data_v=None if value is None else f"{value:.10g}")


def _difference(found: Comparison | None, own: bool) -> list[Html]:
    if own:
        return [_figure("baseline", 0.0, class_="to"), _figure("", None)]
    text, p, value, sure = _words(found)
    return [_figure(text, value, class_=f"to {sure}".rstrip()), _figure(p, found.corrected if found else None)]


def _words(found: Comparison | None) -> tuple[str, str, float | None, str]:
    """(difference with its interval, p, the difference as a number, the class of what is beyond chance)."""
    if found is None:
        return "–", "–", None, ""
    mean, half = found.difference.mean, found.difference.half
    text = gap(mean, sign=True) + (f" ± {plus_minus(half)}" if half is not None else "")
    return text, p_told(found.corrected), mean, "sure" if found.differs else ""


def _packed(group: Ranked, found: dict[int, list[Comparison | None]]) -> str:
    """What the script puts in the columns when another baseline is chosen; all of it was computed here."""
    made = []
    for place, comparisons in found.items():
        cells = []
        for one in comparisons:
            text, p, value, sure = _words(one)
            short = None if value is None else float(f"{value:.6g}")
            corrected = None if one is None or one.corrected is None else float(f"{one.corrected:.4g}")
            cells.append([text, p, short, corrected, 1 if sure else 0])
        made.append({"cell": place, "name": group.cells[place].name, "rows": cells})
    return json.dumps(made, separators=(",", ":"), ensure_ascii=False)


def _scale(group: Ranked) -> Scale | None:
    """From the lowest to the highest interval, without the worst tenth, which would press the others together."""
    found = [one for one in group.scores if one is not None]
    if len(found) < 2:
        return None
    kept = found[: max(2, round(0.9 * len(found)))]
    low = min(one.mean - (one.half or 0) for one in kept)
    high = max(one.mean + (one.half or 0) for one in kept)
    room = 0.02 * (high - low) or 1.0
    return Scale(low - room, high + room, 4, 136)


def _span_of(group: Ranked) -> str:
    scale = _scale(group)
    if scale is None:
        return ""
    return f"{numerals.short(float(f'{scale.low:.3g}'))} … {numerals.short(float(f'{scale.high:.3g}'))}"


def _strip(score: Estimate | None, scale: Scale | None) -> Html | None:
    """A dot with its interval; what lies outside the scale stands at its end, hollow."""
    if score is None or scale is None:
        return None

    def at(value: float) -> float:
        return tenth(min(max(scale(value), 2), 138))

    drawn = [tag("line", x1=2, x2=138, y1=8, y2=8, class_="track")]
    if score.half is not None:
        drawn.append(
            tag("line", x1=at(score.mean - score.half), x2=at(score.mean + score.half), y1=8, y2=8, class_="range")
        )
    inside = scale.low <= score.mean <= scale.high
    drawn.append(tag("circle", cx=at(score.mean), cy=8, r=3.2, class_="value" if inside else "value out"))
    return tag("svg", *drawn, viewBox="0 0 140 16", class_="span", aria_hidden="true", focusable="false")


def _explained(group: Ranked) -> list[str]:
    told_ = []
    over = {one.over for one in group.scores if one is not None and one.half is not None}
    if over:
        what = "folds, corrected for the training examples that they share" if "folds" in over else "seeds"
        told_.append(
            f"± is half the 95 % interval of the mean over {what}: how far others would move it, not other data."
        )
        told_.append(
            "p: a paired t test, after Holm's correction for as many comparisons as there are rows. A difference in "
            "bold is beyond chance at 5 %."
        )
        least = next((one.least for one in group.to_best if one is not None and one.least is not None), None)
        if least is not None and least > 0.05:
            told_.append(
                f"With so few pairs a test that assumes no bell shape could not say less than p = {least:.3g}: "
                "more seeds would be worth more than any of these p."
            )
    else:
        told_.append("One run each: there is no interval, and nothing says which differences are luck.")
    lost = [cell for cell in group.cells if cell.without(group.metric)]
    if lost:
        runs = sum(len(cell.without(group.metric)) for cell in lost)
        told_.append(f"{numerals.count(runs, 'run')} without a finite {group.metric} are in no mean.")
    if group.group.followed:
        told_.append(f"Other options chose these too, which vary with them: {', '.join(group.group.followed)}.")
    return told_


def _median(values: Sequence[object]) -> float | None:
    found = sorted(float(one) for one in values if isinstance(one, int | float))
    return found[len(found) // 2] if found else None


def _most(text: str | None, letters: int = _TEXT) -> str:
    text = text or ""
    return text if len(text) <= letters else text[: letters - 1] + "…"

"""Which switch mattered: matched pairs first, then what never varied alone, a fitted importance last."""

from __future__ import annotations

from collections.abc import Sequence

from assay.lifecycle.records import natural
from assay.review import numerals
from assay.review.charts import Scale, tenth
from assay.review.comparison.ranked import Ranked, gap, plus_minus
from assay.review.effects import Contrast, Effect
from assay.review.html import Child, Html, tag
from assay.review.importance import importance
from assay.review.page import command, number, right_head, row_head, table

_VALUES = 8  # of a switch, named with their runs
_CONTRASTS = 12  # rows of one switch
_SAID = 3  # switches in the sentence on top
_LETTERS = 40


def mattered(group: Ranked) -> list[Html]:
    """Empty where nothing varies."""
    found = group.effects
    if not found:
        return []
    paired = [one for one in found if one.contrasts]
    body: list[Html] = []
    if paired:
        body += [tag("p", said(group)), _table(group, paired), tag("ul", _explained(group), class_="small")]
    confounded = [one for one in paired if one.command]
    for one in confounded:
        told = f"{_join(one.keys)} always changed together: nobody can say which of them did it. This would tell:"
        body += [tag("p", told), command(one.command)]
    never = [one for one in found if not one.contrasts]
    if never:
        body.append(tag("h3", "Never varied alone"))
        body.append(tag("p", "No two runs differ in one of these and in nothing else, so no pair says what it did."))
        for one in never:
            together = ", which always changed together" if len(one.keys) > 1 else ""
            body += [tag("p", tag("strong", _join(one.keys)), f"{together}: {_runs(one)}. This would tell:")]
            body.append(command(one.command))
    return [*body, *_fitted(group, found)]


def said(group: Ranked) -> list[Child]:
    """What mattered most, in a sentence."""
    sure = [one for one in group.effects if one.contrasts and one.contrasts[0].differs]
    if all(contrast.difference.half is None for one in group.effects for contrast in one.contrasts):
        return ["Nothing was repeated, in seeds or in settings: there is no interval, and any of these may be luck."]
    if not sure:
        return [f"No switch changed {group.metric} by more than its interval."]
    parts: list[Child] = []
    for one in sure[:_SAID]:
        contrast = _as_gain(one.contrasts[0], group.group.mode == "min")
        parts += ["; " if parts else "", tag("strong", one.name), f" ({contrast})"]
    rest = len([one for one in group.effects if one.contrasts]) - len(sure)
    last = f" {numerals.count(rest, 'other')} did not go beyond the interval." if rest else ""
    return ["What mattered for ", tag("code", group.metric), ", the most first: ", *parts, ".", last]


def _as_gain(one: Contrast, lower: bool) -> str:
    """``gru instead of rnn +0.0620 ± 0.0030``, told from the worse to the better."""
    mean, half = one.difference.mean, one.difference.half
    worse = (mean > 0) == lower
    first, second, sign = (one.second, one.first, -1) if worse else (one.first, one.second, 1)
    interval = f" ± {plus_minus(half)}" if half is not None else ""
    return f"{_cut(second)} instead of {_cut(first)} {gap(sign * mean, sign=True)}{interval}"


def _table(group: Ranked, found: Sequence[Effect]) -> Html:
    ends = [
        (one.difference.mean - (one.difference.half or 0), one.difference.mean + (one.difference.half or 0))
        for effect in found
        for one in effect.contrasts[:_CONTRASTS]
    ]
    low, high = min(0.0, *(a for a, _ in ends)), max(0.0, *(b for _, b in ends))
    room = 0.04 * (high - low) or 1.0
    scale = Scale(low - room, high + room, 4, 196)
    rows = []
    for effect in found:
        shown = effect.contrasts[:_CONTRASTS]
        for place, one in enumerate(shown):
            head = []
            if place == 0:
                small = [_runs(effect)]
                if effect.along:
                    small.append(f"changed with it: {', '.join(effect.along)}")
                cell = tag("strong", _join(effect.keys)), tag("span", "; ".join(small), class_="small runs")
                head = [tag("th", cell, scope="rowgroup", rowspan=len(shown))]
            rows.append([*head, *_cells(one, scale)])
    heads = [
        "switch",
        "instead of",
        right_head(f"changes {group.metric} by"),
        "",
        right_head("pairs"),
        right_head("contexts"),
    ]
    return Html(tag("div", table(heads, rows, label="what each switch did"), class_="effects"))


def _cells(one: Contrast, scale: Scale) -> list[Html]:
    mean, half = one.difference.mean, one.difference.half
    text = gap(mean, sign=True) + (f" ± {plus_minus(half)}" if half is not None else "")
    words = tag("td", tag("code", _cut(one.second)), " instead of ", tag("code", _cut(one.first)))
    drawn = [tag("line", x1=tenth(scale(0)), x2=tenth(scale(0)), y1=0, y2=18, class_="axis")]
    if half is not None:
        ends = {"x1": tenth(scale(mean - half)), "x2": tenth(scale(mean + half))}
        drawn.append(tag("line", y1=9, y2=9, class_="range", **ends))
    drawn.append(tag("circle", cx=tenth(scale(mean)), cy=9, r=3.4, class_="value" if one.differs else "value out"))
    strip = tag("svg", *drawn, viewBox="0 0 200 18", class_="effect", aria_hidden="true", focusable="false")
    told = number(tag("strong", text) if one.differs else text)
    return [words, told, tag("td", strip), number(f"{one.difference.count:,}"), number(f"{one.contexts:,}")]


def _explained(group: Ranked) -> list[Html]:
    over = {contrast.difference.over for one in group.effects for contrast in one.contrasts}
    units = " or ".join(sorted(over)) or "contexts"
    told = [
        "A pair: two runs of one seed that differ in this switch alone. A context: one setting of all else.",
        f"± is half the 95 % interval over {units}; bold, and a full dot, where it leaves zero out. Each stands by "
        "itself: of twenty, one is expected to leave zero out by chance.",
    ]
    if any(one.along for one in group.effects):
        told.append("Changed with it: keys that belong to the switch and had no common value.")
    return [tag("li", one) for one in told]


def _fitted(group: Ranked, found: Sequence[Effect]) -> list[Html]:
    """Second, and only as good as its fit on cells that were held out."""
    if len(found) < 2:
        return []
    made = importance(group.group, found)
    if made.refused:
        return [tag("p", f"{made.refused[0].upper()}{made.refused[1:]}.", class_="note")]
    most = max(made.shares.values(), default=0.0)
    rows = []
    for name, share in made.shares.items():
        width = 100 * max(share, 0.0) / most if most > 0 else 0.0
        meter = tag("span", tag("span", "", style=f"width:{width:.1f}%"), class_="meter", aria_hidden="true")
        rows.append([row_head(name), number([f"{max(share, 0.0):.2f}", meter])])
    told = (
        f"A random forest guesses the score of a cell from its settings; the column is the R² it loses without one. "
        f"On cells held out it explains {100 * (made.fit or 0):.0f} % of the variance ({made.cells} cells): trust "
        "it no further than that, and the pairs above first."
    )
    heads = ["switch", right_head("R² lost")]
    return [
        tag("h3", "Fitted importance"),
        tag("p", told, class_="small"),
        table(heads, rows, label="fitted importance"),
    ]


def _runs(one: Effect) -> str:
    """How many runs each value has."""
    ordered = sorted(one.runs, key=natural)
    told = [f"{_cut(value)} × {count}" for value, count in [(value, one.runs[value]) for value in ordered[:_VALUES]]]
    left = len(one.runs) - len(told)
    return ", ".join(told) + (f" and {left} more" if left else "")


def _join(keys: Sequence[str]) -> str:
    return " + ".join(keys)


def _cut(value: str) -> str:
    return value if len(value) <= _LETTERS else value[: _LETTERS - 1] + "…"

"""How the cells learnt: the monitored metric and the losses over steps, a mean and a band for each cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.review import numerals
from assay.review.comparison.bands import COLOURS, Line, bands, legend
from assay.review.comparison.measured import Band, Curve, band, curves
from assay.review.comparison.ranked import Ranked, names, told
from assay.review.html import Html, tag
from assay.review.page import folded, number, right_head, row_head, table

EACH = 16
"""Up to so many cells all have a line of their own; of more the best eight, and the others are grey."""

_GREY = 150  # of those behind
_LOSSES = ("train/loss", "val/log_loss")
_ROWS = 12


def learning(group: Ranked) -> list[Html]:
    """A chart for each metric that some run measured."""
    found = {place: _curves(group, place) for place in range(group.scored)}
    wanted = list(dict.fromkeys([group.metric, *_LOSSES]))
    own = list(range(group.scored if group.scored <= EACH else COLOURS))
    behind = [place for place in found if place not in own]
    if len(behind) > _GREY:
        behind = [behind[round(i * (len(behind) - 1) / (_GREY - 1))] for i in range(_GREY)]
    shared, labels = names([group.cells[place] for place in own])
    drawn, told_ = [], []
    for metric in wanted:
        made = {place: band(one[metric] for one in found[place] if metric in one) for place in (*own, *behind)}
        lines = [Line(label, made_, place) for place, label in zip(own, labels, strict=True) if (made_ := made[place])]
        if not lines:
            continue
        others = [made_ for place in behind if (made_ := made[place]) is not None]
        title = f"{metric} (monitored)" if metric == group.metric else metric
        drawn.append(bands(title, lines, others, loss=metric != group.metric, said=_in_words(lines)))
        told_ += [made_.stretch for made_ in made.values() if made_ is not None and made_.stretch]
    if not drawn:
        return [tag("p", "No run measured anything on the way.", class_="note")]
    shown = [f"{label}: {told(group.scores[place])}" for place, label in zip(own, labels, strict=True)]
    left = len(found) - len(own)
    how = "Each line is the mean of a cell's runs"
    how += (
        "; its band is the 95 % interval over them, and it ends where fewer than half go on."
        if _several(group)
        else "."
    )
    if told_:
        how += f" Points are means of stretches of up to {max(told_)} steps, within each run first."
    if left > len(behind):
        how += f" {len(behind)} of the {left} others are drawn."
    how += " Point at a curve, or focus it and use the arrow keys, to read its values."
    body = [legend(shown, left, shared), tag("div", drawn, class_="charts"), tag("p", how, class_="small")]
    if (values := _table(group, own, labels, found)) is not None:
        body.append(folded("The same as a table", values))
    return body


def _curves(group: Ranked, place: int) -> list[dict[str, Curve]]:
    wanted = list(dict.fromkeys([group.metric, *_LOSSES]))
    return [curves(one.folder, wanted) for one in group.cells[place].runs]


def _several(group: Ranked) -> bool:
    return any(len(cell.runs) > 1 for cell in group.cells)


def _in_words(lines: Sequence[Line]) -> str:
    return "; ".join(
        f"{one.name} ends at {numerals.short(float(f'{one.band.mean[-1]:.4g}'))}" for one in lines[:COLOURS]
    )


def _table(
    group: Ranked, own: Sequence[int], labels: Sequence[str], found: Mapping[int, Sequence[Mapping[str, Curve]]]
) -> Html | None:
    """The monitored metric of each cell that has a line, at a dozen of its steps."""
    made: list[Band | None] = [band(one[group.metric] for one in found[place] if group.metric in one) for place in own]
    longest = max((one for one in made if one is not None), key=lambda one: len(one.step), default=None)
    if longest is None:
        return None
    count = len(longest.step)
    places = sorted({round(i * (count - 1) / (_ROWS - 1)) for i in range(_ROWS)})
    steps = [round(float(longest.step[place])) for place in places]
    rows = []
    for label, one in zip(labels, made, strict=True):
        at = (
            {}
            if one is None
            else {round(float(step)): float(mean) for step, mean in zip(one.step, one.mean, strict=True)}
        )
        rows.append([row_head(label), *(number(numerals.score(at.get(step))) for step in steps)])
    heads = ["cell", *(right_head(f"step {step:,}") for step in steps)]
    return table(heads, rows, label=f"{group.metric} of each cell over steps")

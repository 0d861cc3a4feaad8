"""Each class: how the best cells fare with it, and the confusion matrix of any of them."""

from __future__ import annotations

import math

from assay.review import numerals, scores
from assay.review.comparison.answers import Answers, Classes
from assay.review.comparison.ranked import Ranked, names
from assay.review.html import Html, tag
from assay.review.page import number, right_head, row_head, table
from assay.review.sections.errors import MOST_CLASSES, confused_pairs, confusion_matrix

CELLS = 8
"""Cells whose classes are shown, at most; fewer where there are many classes."""

_COLUMNS = 5
_ROWS = 60
_MATRIX_BYTES = 400_000
_CELL_BYTES = 42  # of a matrix, as markup


def shown_cells(group: Ranked, classes: int) -> list[int]:
    """The cells whose answers are counted by class: the best, as many as there is room for."""
    room = _MATRIX_BYTES // (_CELL_BYTES * max(classes, 1) ** 2) if classes <= MOST_CLASSES else CELLS
    return list(range(min(group.scored, CELLS, max(room, 1))))


def classes(group: Ranked, found: Answers) -> list[Html]:
    """Empty where the label has no classes, or nothing was tested."""
    places = sorted(found.classes)
    if not places:
        return []
    shared, short = names([group.cells[place] for place in places])
    labels = dict(zip(places, short, strict=True))
    body = [_table(found, places[:_COLUMNS], labels, shared)]
    matrices = [place for place in places if found.classes[place].matrix is not None]
    if not matrices:
        return body
    size = len(found.names)
    if size > MOST_CLASSES:
        best = matrices[0]
        note = f"{size} classes are too many for a matrix; these are its largest cells, of {labels[best]}."
        return [*body, tag("h3", "Most confused"), tag("p", note, class_="note"), _pairs(found, best)]
    body.append(tag("h3", "Confusion"))
    told = "Summed over the runs of a cell."
    if len(matrices) > 1:
        told += " Open another to look at that one."
    body.append(tag("p", told, class_="caption"))
    for place in matrices:
        made = found.classes[place]
        share = int(made.hits.sum()) / max(made.examples, 1)
        summary = tag("summary", tag("code", labels[place]), f" · {numerals.share(share)} right")
        inner = [confusion_matrix(_square(made, size), found.names), tag("p", "Most confused", class_="caption")]
        inner.append(_pairs(found, place))
        body.append(tag("details", summary, inner, name=f"confusion{group.mark}", open=place == matrices[0]))
    return body


def _pairs(found: Answers, place: int) -> Html:
    return confused_pairs(_square(found.classes[place], len(found.names)), found.names, most=8)


def _square(made: Classes, size: int) -> scores.Codes:
    """The matrix, with room for classes that other cells answered."""
    import numpy as np

    assert made.matrix is not None
    return np.pad(made.matrix, (0, size - len(made.matrix)))


def _table(found: Answers, places: list[int], labels: dict[int, str], shared: str) -> Html:
    """F1 of each class by each cell; the classes that are worst in the first cell first where there are many."""
    made = {}
    for place in places:
        one = found.classes[place]
        made[place] = {each.name: each for each in scores.class_scores(one.hits, one.there, one.said, found.names)}
    first = made[places[0]]
    order = list(first.values())
    note = ""
    if len(order) > _ROWS:
        order = sorted(order, key=lambda one: math.inf if math.isnan(one.f1) else one.f1)[:_ROWS]
        note = f" The {_ROWS} worst of {len(first)}."
    rows = []
    for one in order:
        values = [made[place][one.name].f1 if one.name in made[place] else math.nan for place in places]
        top = max((value for value in values if not math.isnan(value)), default=math.nan)
        cells = [
            number(tag("strong", numerals.score(value)) if value == top and len(places) > 1 else numerals.score(value))
            for value in values
        ]
        rows.append(
            [
                row_head(one.name),
                number(f"{one.support:,}"),
                number(_score(one.precision)),
                number(_score(one.recall)),
                *cells,
            ]
        )
    what = {"labels": "label", "tags": "type"}.get(str(found.kind), "class")
    heads = [what, right_head("examples"), right_head("precision"), right_head("recall")]
    heads += [tag("th", "F1 · ", labels[place], scope="col", class_="n wrap") for place in places]
    caption = (
        "On the test split, summed over each cell's runs. Examples, precision (right of those answered so) and recall "
        f"(found of those that are so) are of the first cell; F1 joins both.{note}"
        f"{f' All with {shared}.' if shared else ''}"
    )
    return table(heads, rows, caption=caption, label=f"scores of each {what}")


def _score(value: float) -> str:
    return numerals.score(value)

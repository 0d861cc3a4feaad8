"""Where it errs: classes and their confusions, calibration, numbers and their residuals, and the hardest examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from assay.metrics.spans import has_spans
from assay.review import charts, numerals, scores, tags
from assay.review.facts import Run
from assay.review.html import Html, tag
from assay.review.page import folded, number, right_head, row_head, scroll, table
from assay.review.sections.hardest import hardest

MOST_CLASSES = 40  # above this a matrix is not to be read, and the confused pairs say it
_MOST_ROWS = 60
_MOST_PAIRS = 15
_MOST_DOTS = 1500
_SHORT = 8  # letters of a class name that stand across


def where_it_errs(run: Run, chance: float | None) -> list[Html]:
    """By the kind of the label; what needs predictions is left out where there are none."""
    body: list[Html] = []
    if run.predictions and run.kind == "class":
        body += [*_classes(run), *_calibration(run, chance)]
    elif run.predictions and run.kind == "labels":
        body += _labels(run)
    elif run.predictions and run.kind == "number":
        body += _numbers(run)
    elif run.predictions and run.kind == "tags":
        body += _tags(run)
    body += hardest(run)
    if not body and "predictions/test.csv" not in run.files:
        return [tag("p", "There are no test predictions: the run did not come to its test.", class_="note")]
    return body


def _classes(run: Run) -> list[Html]:
    targets, answers, size = scores.codes(run.predictions, run.names)
    names = [*run.names, *sorted({row.prediction for row in run.predictions} - set(run.names))][:size]
    names += ["?"] * (size - len(names))
    matrix = scores.confusion(targets, answers, size)
    hits, there, said = matrix.diagonal(), matrix.sum(1), matrix.sum(0)
    wrong = int(len(targets) - hits.sum())
    opening = f"{numerals.count(wrong, 'mistake')} in {numerals.count(len(targets), 'test example')}."
    body = [tag("p", opening), tag("h3", "Each class")]
    body.append(_score_table(scores.class_scores(hits, there, said, names), "class"))
    if wrong:
        body += [tag("h3", "Most confused"), confused_pairs(matrix, names)]
    if size <= MOST_CLASSES:
        body += [tag("h3", "Confusion matrix"), confusion_matrix(matrix, names)]
    else:
        body.append(
            tag("p", f"{size} classes are too many for a matrix; the pairs above are its largest cells.", class_="note")
        )
    return body


def _score_table(found: Sequence[scores.ClassScore], what: str) -> Html:
    kept = list(found)
    caption = "precision: share right of those answered so; recall: share found of those that are so"
    if len(kept) > _MOST_ROWS:
        kept = sorted(kept, key=lambda one: math.inf if math.isnan(one.f1) else one.f1)[:_MOST_ROWS]
        caption += f". The {_MOST_ROWS} worst of {len(found)} by F1"
    rows = []
    for one in kept:
        width = 0 if math.isnan(one.f1) else 100 * one.f1
        meter = tag("span", tag("span", "", style=f"width:{width:.1f}%"), class_="meter", aria_hidden="true")
        figures = [numerals.score(value) for value in (one.precision, one.recall)]
        cells = [*map(number, figures), number([numerals.score(one.f1), meter])]
        rows.append([row_head(one.name), *cells, number(f"{one.support:,}"), number(f"{one.predicted:,}")])
    heads = ("precision", "recall", "F1", "support", "predicted")
    made = table([what, *map(right_head, heads)], rows, caption=caption, label=f"scores of each {what}")
    return folded(f"The scores of {len(kept)} of {len(found)}", made) if len(kept) > 20 else made


def confused_pairs(matrix: scores.Codes, names: Sequence[str], most: int = _MOST_PAIRS) -> Html:
    """The largest cells off the diagonal, with their share of the class."""
    apart = matrix.copy()
    np.fill_diagonal(apart, 0)
    order = np.argsort(-apart, axis=None, kind="stable")[:most]
    rows = []
    for place in order.tolist():
        is_, taken = divmod(place, len(matrix))
        if count := int(apart[is_, taken]):
            share = count / max(int(matrix[is_].sum()), 1)
            back = int(apart[taken, is_])
            cells = [number(f"{count:,}"), number(numerals.share(share)), number(f"{back:,}")]
            rows.append([row_head(names[is_]), tag("td", names[taken]), *cells])
    total = int((apart > 0).sum())
    caption = f"The {len(rows)} largest of {numerals.count(total, 'pair')}" if total > len(rows) else None
    heads = ["is", "taken for", *map(right_head, ("times", "of its class", "the other way"))]
    return table(heads, rows, caption=caption, label="most confused pairs")


def confusion_matrix(matrix: scores.Codes, names: Sequence[str]) -> Html:
    """Rows are what is, columns what was answered; shade grows with the square root of the share of the row."""
    long = max(map(len, names)) > 3
    across = [tag("th", _cut(name), scope="col", title=name, class_="up" if long else None) for name in names]
    rows = []
    for row, name in enumerate(names):
        whole = max(int(matrix[row].sum()), 1)
        cells = []
        for column, count in enumerate(matrix[row].tolist()):
            kind = "zero" if count == 0 else "hit" if row == column else "miss"
            shade = f"--v:{math.sqrt(count / whole):.2f}" if count else None
            cells.append(tag("td", f"{count:,}" if count else "·", class_=kind, style=shade))
        rows.append(tag("tr", tag("th", name, scope="row", title=name), cells))
    caption = "Rows: what it is. Columns: what was answered. The diagonal is right; shade by share of the row."
    head = tag("thead", tag("tr", tag("td", ""), across))
    made = tag("table", head, tag("tbody", rows), class_="confusion")
    return Html(tag("p", caption, class_="caption") + scroll(made, "confusion matrix"))


def _cut(name: str) -> str:
    return name if len(name) <= 2 * _SHORT else name[: 2 * _SHORT - 1] + "…"


def _calibration(run: Run, chance: float | None) -> list[Html]:
    values = scores.probabilities(run.predictions)
    if np.isnan(values).any():
        return []
    right = np.array([row.target == row.prediction for row in run.predictions])
    return _reliability(values, right, chance, "the answer")


def _reliability(values: scores.Array, right: Any, chance: float | None, what: str) -> list[Html]:
    found, error = scores.calibration(values, right)
    sure, true = float(values.mean()), float(right.mean())
    said = f"Mean probability of {what} {sure:.3f}, right in {true:.3f}. Expected calibration error {error:.4f}"
    if chance is not None and error <= chance:
        said += f", within what chance alone gives a perfectly calibrated model (up to {chance:.4f})"
    elif chance is not None:
        lean = "surer than it should be" if sure > true else "more modest than it need be"
        said += f", above what chance alone gives a perfectly calibrated model (up to {chance:.4f}): it is {lean}"
    points = [(b.confidence, b.accuracy, b.count, scores.wilson(round(b.accuracy * b.count), b.count)) for b in found]
    chart = charts.reliability("Share right over probability given", points, said)
    counts = np.bincount(scores.bins(values), minlength=scores.BINS).tolist()
    edges = [b / scores.BINS for b in range(scores.BINS + 1)]
    spread = charts.bars("How sure it was", edges, counts, "probability given", said)
    rows = [
        [
            row_head(f"{b.low:.2f} to {b.high:.2f}"),
            *map(number, (f"{b.count:,}", f"{b.confidence:.3f}", f"{b.accuracy:.3f}")),
        ]
        for b in found
    ]
    heads = ["probability", *map(right_head, ("answers", "mean probability", "share right"))]
    return [
        tag("h3", "Calibration: are its probabilities true?"),
        tag(
            "p",
            f"{said}. Dots on the dashed line are true; bars are 95 % intervals, a dot's area its number of answers.",
        ),
        tag("div", chart, spread, class_="charts"),
        folded("The same as a table", table(heads, rows, label="calibration")),
    ]


def _labels(run: Run) -> list[Html]:
    sets = scores.label_sets(run.predictions, run.names)
    whole = sum(row.target == row.prediction for row in run.predictions)
    body: list[Html] = [
        tag(
            "p",
            f"The whole set of labels is right for {whole:,} of {len(run.predictions):,} test examples.",
        )
    ]
    if sets is None:
        return [
            *body,
            tag("p", "A label's name holds “|”, which joins labels in the table: no scores of each.", class_="note"),
        ]
    there, said = sets
    hits = (there & said).sum(0)
    body += [
        tag("h3", "Each label"),
        _score_table(scores.class_scores(hits, there.sum(0), said.sum(0), run.names), "label"),
    ]
    missed, added = (there & ~said).sum(0).tolist(), (said & ~there).sum(0).tolist()
    rows = [
        [row_head(name), number(f"{m:,}"), number(f"{a:,}")]
        for name, m, a in zip(run.names, missed, added, strict=True)
        if m or a
    ]
    if rows:
        rows = rows[:_MOST_ROWS]
        body.append(
            table(["label", *map(right_head, ("missed", "added wrongly"))], rows, label="missed and added labels")
        )
    values = scores.probabilities(run.predictions)
    if not np.isnan(values).any():
        right = np.array([row.target == row.prediction for row in run.predictions])
        body += _reliability(values, right, None, "the whole set, labels taken as independent,")
    return body


def _tags(run: Run) -> list[Html]:
    """Spans of each type, or tags where they mark no spans."""
    label, answered, names = tags.codes(run.predictions, run.names)
    found, spans = tags.by_type(run.predictions, run.names), has_spans(names)
    held = label >= 0
    wrong = int((held & (label != answered)).sum())
    whole = int((held & (label != answered)).any(1).sum())
    opening = f"{numerals.count(wrong, 'wrong tag')} of {int(held.sum()):,}, in {whole:,} of {len(label):,} sentences."
    if spans:
        missed, added = int((found.there - found.right).sum()), int((found.found - found.right).sum())
        opening += (
            f" {numerals.count(int(found.there.sum()), 'span')}: {missed:,} missed, {added:,} found that are none."
        )
    what = "type" if spans else "tag"
    table_ = _score_table(scores.class_scores(found.right, found.there, found.found, found.names), what)
    matrix = scores.confusion(label[held], np.maximum(answered[held], 0), len(names))
    body = [tag("p", opening), tag("h3", f"Each {what}{' of span' if spans else ''}"), table_]
    return [*body, tag("h3", "Most confused tags"), confused_pairs(matrix, names)] if wrong else body


def _numbers(run: Run) -> list[Html]:
    target, answer = scores.numbers(run.predictions)
    keep = np.isfinite(target) & np.isfinite(answer)
    if not keep.any():
        return [tag("p", "No prediction is a finite number.", class_="note")]
    ids = np.array([row.id for row in run.predictions])[keep]
    target, answer = target[keep], answer[keep]
    residual = answer - target
    worst = np.argsort(-np.abs(residual), kind="stable")
    chosen = np.arange(len(target))
    if len(target) > _MOST_DOTS:  # the worst, and an even pick of the others in the order of their targets
        rest = worst[24:][np.argsort(target[worst[24:]], kind="stable")]
        chosen = np.concatenate([worst[:24], rest[np.linspace(0, len(rest) - 1, _MOST_DOTS - 24).astype(int)]])

    def words(place: int) -> str:
        return (
            f"example {ids[place]}: target {numerals.short(target[place])}, predicted {numerals.short(answer[place])}"
        )

    dots = [(float(target[p]), float(answer[p]), words(p)) for p in chosen.tolist()]
    apart = [(float(answer[p]), float(residual[p]), words(p)) for p in chosen.tolist()]
    low, middle, high = (numerals.score(float(v)) for v in np.quantile(residual, [0.05, 0.5, 0.95]))
    said = f"Prediction minus target: median {middle}, nine in ten between {low} and {high}"
    lean = (
        float(np.corrcoef(target, residual)[0, 1])
        if len(target) > 2 and target.std() > 0 and residual.std() > 0
        else 0.0
    )
    if lean < -0.3:
        said += ". High targets are predicted too low and low ones too high: it leans to the middle"
    counts, edges = np.histogram(residual, bins=min(30, max(5, int(math.sqrt(len(residual))))))
    picked = (
        f" {len(chosen):,} of {len(target):,} examples, the 24 worst among them, are drawn."
        if len(chosen) < len(target)
        else ""
    )
    said += "."
    drawn = [
        charts.scatter("Prediction over target", dots, "target", "prediction", said, diagonal=True),
        charts.scatter("Residual over prediction", apart, "prediction", "prediction − target", said, diagonal=False),
        charts.bars("Residuals", edges.tolist(), counts.tolist(), "prediction − target", said),
    ]
    body = [tag("p", said + picked), tag("div", drawn, class_="charts")]
    if not run.hardest:
        rows = [[row_head(f"{ids[p]}"), *_figures(target[p], answer[p], residual[p])] for p in worst[:15].tolist()]
        heads = ["example", *map(right_head, ("target", "prediction", "difference"))]
        body += [tag("h3", "Worst"), table(heads, rows, label="worst examples")]
    return body


def _figures(target: float, answer: float, residual: float) -> list[Html]:
    return [number(numerals.score(target)), number(numerals.score(answer)), number(numerals.signed(residual))]

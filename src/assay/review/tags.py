"""What a table of predicted tags says: spans or tags by type, and how sure their scores are.

A row of predictions/test.csv has the tags of one sentence, joined by spaces. An interval is over sentences, drawn
whole: the tags of one are not independent. NumPy alone, as :mod:`assay.review.scores`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.metrics.spans import Counts, Spans, by_name, has_spans, tag_accuracy
from assay.review.facts import Prediction
from assay.review.scores import Array, Bootstrap, Codes, Interval, middle95, wilson


def codes(rows: Sequence[Prediction], names: Sequence[str]) -> tuple[Codes, Codes, list[str]]:
    """Targets and predictions as places in the names (n, T), -1 where there is no tag; and the names, with those at the
    end that the table has and nothing else knows."""
    known = {name: number for number, name in enumerate(names)}
    split = [(row.target.split(" "), row.prediction.split(" ")) for row in rows]
    longest = max((len(target) for target, _ in split), default=1)
    found = np.full((2, len(rows), longest), -1, dtype=np.int64)
    for place, both in enumerate(split):
        for side, tags in enumerate(both):
            numbers = [known.setdefault(tag, len(known)) for tag in tags[:longest]]
            found[side, place, : len(numbers)] = numbers
    return found[0], found[1], list(known)


def by_type(rows: Sequence[Prediction], names: Sequence[str]) -> Counts:
    """Spans of each type, or tags of each name where tags mark no spans."""
    return by_name(*codes(rows, names))


def intervals(rows: Sequence[Prediction], names: Sequence[str]) -> dict[str, Interval]:
    """Metric -> its interval, by the names that the summary uses."""
    label, prediction, every = codes(rows, names)
    draws = Bootstrap(len(rows))
    tags, right = tag_accuracy(label, prediction)
    found: dict[str, Interval | None] = {}
    if has_spans(every):
        there, said, hit = Spans(every).matched(label, prediction)
        rows_of = (there.row, said.row, said.row[hit])
        total = [draws.total(np.bincount(row, minlength=len(rows)).astype(np.float64)) for row in rows_of]
        found["f1"] = middle95(_share(2 * total[2], total[0] + total[1]))
        found["precision"] = middle95(_share(total[2], total[1]))
        found["recall"] = middle95(_share(total[2], total[0]))
    counted = draws.total(tags.astype(np.float64))
    found["accuracy"] = middle95(_share(draws.total(right.astype(np.float64)), counted))
    found["sentence_accuracy"] = wilson(int((tags == right).sum()), len(rows))
    loss = np.array([row.loss for row in rows])
    if np.isfinite(loss).all():
        found["log_loss"] = middle95(_share(draws.total(loss), counted))
    return {name: interval for name, interval in found.items() if interval is not None}


def _share(part: Array, whole: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / whole, np.nan)

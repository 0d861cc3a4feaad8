"""The test answers of many runs together: which examples every run gets wrong, and the classes of a cell.

From predictions/test.csv of each. Letters: n examples, C classes or labels.
"""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.lifecycle.records import Record
from assay.review import scores, tags
from assay.review.facts import Prediction
from assay.sweeps.tables.cells import Cell

MOST_ROWS = 1_500_000  # above these, an even pick of the runs is read
MOST_BYTES = 64_000_000  # of one file

Counts = NDArray[np.int64]


@dataclass
class Example:
    """What the runs made of one test example.

    Attributes:
        tested: the runs that had it in their test split, wrong: those that answered it wrong.
        loss: summed over the runs.
        answers: the wrong ones, each with how many runs gave it.
    """

    id: str
    target: str
    tested: int = 0
    wrong: int = 0
    loss: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)

    @property
    def mean_loss(self) -> float:
        return self.loss / max(self.tested, 1)


@dataclass
class Classes:
    """Of one cell, pooled over its runs.

    Attributes:
        hits, there, said: (C,) right answers, examples of the class, answers of it.
        matrix: (C, C), rows are targets; None where an example has several labels.
        examples: answers counted.
    """

    hits: Counts
    there: Counts
    said: Counts
    matrix: Counts | None
    examples: int


@dataclass
class Answers:
    """All answers.

    Attributes:
        kind: of the label: class, labels, number, tags, or None where nothing was read.
        names: of the classes or labels; of tags those of the types of spans, and ``tags`` their own.
        examples: by their id.
        classes: of the chosen cells, by their place.
        runs: whose answers were read, of how many that have any.
    """

    kind: str | None
    names: list[str]
    examples: dict[str, Example]
    classes: dict[int, Classes]
    runs: int
    having: int
    tags: list[str] = field(default_factory=list)


def read(cells: Sequence[Cell], chosen: Sequence[int]) -> Answers:
    """The answers of all runs of these cells; ``chosen`` are the cells whose classes are wanted."""
    having = [(place, one) for place, cell in enumerate(cells) for one in cell.runs if _size(one) > 0]
    kind, names = label([one for _, one in having])
    found = Answers(kind, names, {}, {}, 0, len(having), names)
    every = _every(having)
    wanted = set(chosen)
    for number, (place, one) in enumerate(having):
        if place not in wanted and number % every:
            continue
        rows = _rows(one.folder / "predictions" / "test.csv")
        if not rows:
            continue
        found.runs += 1
        if found.kind is None:
            found.kind = "number" if math.isnan(rows[0].probability) else "class"
        if found.kind == "class" and not found.names:
            found.names = sorted({row.target for row in rows} | {row.prediction for row in rows})
        _count(rows, found.examples, found.kind)
        if place in wanted and found.kind != "number":
            _pool(found, place, rows)
    return found


def pictured(cells: Sequence[Cell], wanted: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The wanted examples as a person can look at them, from whichever run kept each among its hardest."""
    found: dict[str, dict[str, Any]] = {}
    left = set(wanted)
    for one in (one for cell in cells for one in cell.runs):
        if not left:
            break
        try:
            examples = json.loads((one.folder / "predictions" / "hardest.json").read_text(encoding="utf-8"))["examples"]
            for example in examples:
                if (name := str(example["id"])) in left:
                    left.discard(name)
                    found[name] = example
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def _count(rows: Sequence[Prediction], examples: dict[str, Example], kind: str) -> None:
    for row in rows:
        example = examples.get(row.id)
        if example is None:
            example = examples[row.id] = Example(row.id, row.target)
        example.tested += 1
        if math.isfinite(row.loss):
            example.loss += row.loss
        if kind != "number" and row.target != row.prediction:
            example.wrong += 1
            example.answers[row.prediction] += 1


def _pool(found: Answers, place: int, rows: Sequence[Prediction]) -> None:
    if found.kind == "labels":
        sets = scores.label_sets(rows, found.names)
        if sets is None:
            return
        there, said = sets
        made = Classes((there & said).sum(0), there.sum(0), said.sum(0), None, len(rows))
    elif found.kind == "tags":
        counts = tags.by_type(rows, found.tags)
        found.names = list(max(counts.names, found.names if found.classes else (), key=len))
        made = Classes(counts.right, counts.there, counts.found, None, len(rows))
    else:
        targets, answers, size = scores.codes(rows, found.names)
        if size > len(found.names):  # a class that no data card names
            known = set(found.names)
            found.names += sorted({name for row in rows for name in (row.target, row.prediction)} - known)
            targets, answers, size = scores.codes(rows, found.names)
        matrix = scores.confusion(targets, answers, size)
        made = Classes(matrix.diagonal().copy(), matrix.sum(1), matrix.sum(0), matrix, len(rows))
    before = found.classes.get(place)
    found.classes[place] = made if before is None else _sum(before, made)


def _sum(a: Classes, b: Classes) -> Classes:
    size = len(b.hits)
    wide = [np.pad(one, (0, size - len(one))) for one in (a.hits, a.there, a.said)]
    matrix = None
    if a.matrix is not None and b.matrix is not None:
        matrix = np.pad(a.matrix, (0, size - len(a.matrix))) + b.matrix
    return Classes(wide[0] + b.hits, wide[1] + b.there, wide[2] + b.said, matrix, a.examples + b.examples)


def _rows(path: Path) -> list[Prediction]:
    """Nothing where the file is broken: what the other runs say is shown without it."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            if next(reader, []) != list(Prediction._fields):
                return []
            return [
                Prediction(one, target, answer, float(p) if p else math.nan, float(loss))
                for one, target, answer, p, loss in reader
            ]
    except (OSError, ValueError, csv.Error):
        return []


def label(runs: Sequence[Record]) -> tuple[str | None, list[str]]:
    """The kind of what is predicted, and its names, as the data of the first run that has them say."""
    for one in runs:
        try:
            label: Mapping[str, Any] = json.loads((one.folder / "data.json").read_text(encoding="utf-8"))["label"]
            return label.get("kind"), [str(name) for name in label.get("names") or []]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return None, []


def _size(record: Record) -> int:
    try:
        size = (record.folder / "predictions" / "test.csv").stat().st_size
    except OSError:
        return 0
    return size if size <= MOST_BYTES else 0


def _every(having: Sequence[tuple[int, Record]]) -> int:
    """Every how many-th run is read."""
    if not having:
        return 1
    rows = len(having) * _size(having[0][1]) // 25  # a row has about 25 letters
    return max(1, math.ceil(rows / MOST_ROWS))

"""What a table of predictions says beyond its averages: intervals, scores of each class, confusion, calibration.

NumPy alone, from predictions/test.csv. Letters: n examples, C classes or labels, D draws, G groups, B bins.

An interval is over test examples: how far the score would move with another test split of the same size from the same
source, the trained weights staying as they are. It says nothing about other seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.review.facts import Prediction

BINS = 15  # as the run's calibration_error
DRAWS = 1000
_GROUPS = 2000  # more examples than these are drawn in random groups
_Z = 1.959963984540054  # the normal distribution's 97.5th percentile

Array = NDArray[np.float64]
Codes = NDArray[np.int64]


class Interval(NamedTuple):
    """95 %, both ends included."""

    low: float
    high: float


class ClassScore(NamedTuple):
    """How one class or label fares; NaN where it has no meaning (never predicted, or never there)."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int
    predicted: int


class Bin(NamedTuple):
    """The answers given with a probability between low and high."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def wilson(hits: int, count: int) -> Interval:
    """Score interval of a share: Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

    (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n), p = hits/count. Of nothing: everything is possible.
    """
    if count == 0:
        return Interval(0.0, 1.0)
    p, z2 = hits / count, _Z * _Z
    middle = p + z2 / (2 * count)
    half = _Z * math.sqrt(p * (1 - p) / count + z2 / (4 * count * count))
    whole = 1 + z2 / count
    return Interval(max((middle - half) / whole, 0.0), min((middle + half) / whole, 1.0))


class Bootstrap:
    """Draws of n examples with replacement, as sums over them: Efron, "Bootstrap methods", 1979.

    Every score here is a function of sums over examples, so a draw is a row of counts and all draws are one product of
    matrices. Above 2,000 examples, random groups of them are drawn instead, which leaves the variance of a sum what it
    was and costs the same for any n. The seed is fixed: the same table gives the same interval.
    """

    def __init__(self, count: int, draws: int = DRAWS, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.groups = min(count, _GROUPS)
        self.group = np.arange(count) % self.groups
        if count > self.groups:
            random.shuffle(self.group)
        drawn = random.integers(0, self.groups, (draws, self.groups))
        drawn += np.arange(draws)[:, None] * self.groups
        counts = np.bincount(drawn.ravel(), minlength=draws * self.groups)
        self.counts: Array = counts.reshape(draws, self.groups).astype(np.float64)  # (D, G)
        self.size = self.total(np.ones(count))  # (D,), n but for groups of unequal size

    def total(self, values: Array) -> Array:
        """Values (n,) -> their sum in each draw (D,)."""
        return self.counts @ np.bincount(self.group, values, self.groups)

    def table(self, codes: Codes, size: int, weights: Array | None = None) -> Array:
        """Codes (n,) below ``size`` -> how many of each, or their weights' sum, in each draw (D, size)."""
        sums = np.bincount(self.group * size + codes, weights, self.groups * size)
        return self.counts @ sums.reshape(self.groups, size)


def middle95(values: Array) -> Interval | None:
    """The 2.5th and 97.5th percentile of the draws (D,) that have a value; None where none has."""
    kept = values[np.isfinite(values)]
    if not len(kept):
        return None
    low, high = np.quantile(kept, [0.025, 0.975])
    return Interval(float(low), float(high))


def intervals(rows: Sequence[Prediction], kind: str | None, names: Sequence[str]) -> dict[str, Interval]:
    """Metric -> its interval, by the names that the summary uses; those that the table cannot give are left out.

    calibration_error has none: it is far above its true value on a small split, and no bootstrap of it covers (tried:
    0 to 55 % where 95 was asked); :func:`by_chance` says what it is worth instead.
    """
    found: dict[str, Interval | None] = {}
    if len(rows) < 2:
        return {}
    draws = Bootstrap(len(rows))
    if kind == "number":
        target, answer = numbers(rows)
        if not np.isfinite([target, answer]).all():
            return {}
        error = target - answer
        squared = draws.total(error**2)
        around = draws.total(target**2) - draws.total(target) ** 2 / draws.size
        found["mae"] = middle95(draws.total(np.abs(error)) / draws.size)
        found["rmse"] = middle95(np.sqrt(squared / draws.size))
        with np.errstate(divide="ignore", invalid="ignore"):
            found["r2"] = middle95(1 - squared / np.where(around > 0, around, np.nan))
    elif kind == "class":
        targets, answers, size = codes(rows, names)
        right = targets == answers
        found["accuracy"] = wilson(int(right.sum()), len(rows))
        hits = draws.table(targets, size, right.astype(np.float64))
        found["macro_f1"] = middle95(macro_f1(hits, draws.table(targets, size), draws.table(answers, size)))
    elif kind == "labels" and (sets := label_sets(rows, names)) is not None:
        there, said = sets
        found["accuracy"] = middle95(draws.total((there == said).mean(1)) / draws.size)
        hits, target, answer = (
            np.stack([draws.total(column.astype(np.float64)) for column in each.T], 1)
            for each in (there & said, there, said)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            found["micro_f1"] = middle95(2 * hits.sum(1) / (target + answer).sum(1))
        found["macro_f1"] = middle95(macro_f1(hits, target, answer, absent=0.0))
    loss = np.array([row.loss for row in rows])
    if kind in ("class", "labels") and np.isfinite(loss).all():
        found["log_loss"] = middle95(draws.total(loss) / draws.size)
    return {name: interval for name, interval in found.items() if interval is not None}


def macro_f1(hits: Array, target: Array, answer: Array, absent: float = math.nan) -> Array:
    """Mean F1 = 2·hits / (target + answer) over classes, (…, C) -> (…). A class neither there nor predicted is left
    out (``absent`` NaN, as the run does for classes) or counts as given (0, as it does for labels)."""
    whole = target + answer
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(whole > 0, 2 * hits / whole, absent)
    kept = ~np.isnan(each)
    return np.where(kept, each, 0).sum(-1) / np.maximum(kept.sum(-1), 1)


def numbers(rows: Sequence[Prediction]) -> tuple[Array, Array]:
    """Targets and predictions (n,) of a regression."""
    pairs = np.array([(float(row.target), float(row.prediction)) for row in rows], dtype=np.float64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def codes(rows: Sequence[Prediction], names: Sequence[str]) -> tuple[Codes, Codes, int]:
    """Targets and predictions as places in ``names`` (n,), and the number of classes."""
    place = {name: number for number, name in enumerate(names)}
    for row in rows:  # a name that the table has and nothing else knows
        place.setdefault(row.target, len(place))
        place.setdefault(row.prediction, len(place))
    targets = np.array([place[row.target] for row in rows], dtype=np.int64)
    return targets, np.array([place[row.prediction] for row in rows], dtype=np.int64), len(place)


def label_sets(rows: Sequence[Prediction], names: Sequence[str]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
    """Targets and predictions (n, C) of several labels each; None where a name holds the ``|`` that joins them."""
    if not names or any("|" in name for name in names):
        return None
    place = {name: number for number, name in enumerate(names)}
    found = np.zeros((2, len(rows), len(names)), dtype=np.bool_)
    for number, row in enumerate(rows):
        for side, joined in enumerate((row.target, row.prediction)):
            for name in joined.split("|") if joined else ():
                if name not in place:
                    return None
                found[side, number, place[name]] = True
    return found[0], found[1]


def confusion(targets: Codes, answers: Codes, size: int) -> Codes:
    """(C, C): rows are targets, columns answers."""
    return np.bincount(targets * size + answers, minlength=size * size).reshape(size, size)


def class_scores(hits: Codes, target: Codes, answer: Codes, names: Sequence[str]) -> list[ClassScore]:
    """Of each class: how many were right, there and predicted (C,) -> its scores."""
    found = []
    for name, right, there, said in zip(names, hits.tolist(), target.tolist(), answer.tolist(), strict=False):
        precision = right / said if said else math.nan
        recall = right / there if there else math.nan
        f1 = 2 * right / (there + said) if there + said else math.nan
        found.append(ClassScore(name, precision, recall, f1, there, said))
    return found


def probabilities(rows: Sequence[Prediction]) -> Array:
    return np.array([row.probability for row in rows], dtype=np.float64)


def bins(values: Array, count: int = BINS) -> Codes:
    """Probabilities (n,) -> the number of their bin: [0, 1/B), [1/B, 2/B), …, the last with 1 in it."""
    return np.clip(np.searchsorted(np.linspace(0, 1, count + 1), values, side="right") - 1, 0, count - 1)


def calibration(values: Array, right: NDArray[np.bool_], count: int = BINS) -> tuple[list[Bin], float]:
    """The bins that hold answers, and the expected calibration error Σ (n_b / n) |accuracy_b - confidence_b|.

    Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", 2017, arXiv:1706.04599, eq. 5.
    """
    where = bins(values, count)
    counts = np.bincount(where, minlength=count)
    confidence = np.bincount(where, values, count)
    hits = np.bincount(where, right.astype(np.float64), count)
    error = float(np.abs(hits - confidence).sum() / max(len(values), 1))
    found = [
        Bin(b / count, (b + 1) / count, int(counts[b]), confidence[b] / counts[b], hits[b] / counts[b])
        for b in range(count)
        if counts[b]
    ]
    return found, error


def by_chance(values: Array, count: int = BINS, seed: int = 0) -> float | None:
    """The calibration error that a perfectly calibrated model with these probabilities (n,) stays below in 95 of 100
    test splits: answers drawn right with exactly the probability given. None where a probability is missing.

    Bröcker and Smith, "Increasing the reliability of reliability diagrams", 2007: consistency resampling.
    """
    if not len(values) or np.isnan(values).any():
        return None
    random = np.random.default_rng(seed)
    where = bins(values, count)
    draws = int(np.clip(5_000_000 // len(values), 100, DRAWS))
    errors = [
        np.abs(np.bincount(where, (random.random(len(values)) < values) - values, count)).sum() / len(values)
        for _ in range(draws)
    ]
    return float(np.quantile(errors, 0.95))

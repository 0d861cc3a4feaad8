"""What the runs of a cell say together: a mean, its interval, and whether it differs from another cell's.

Two designs, told apart by the scores. Runs on one split that differ by seed are independent: Student's t. Runs on the
folds of one data set share most of their training examples, so that their spread tells too little of how the mean
would move: the corrected resampled t, Nadeau and Bengio, "Inference for the Generalization Error", Machine Learning 52,
2003, section 4.2, where the variance of the mean over J folds is

    (1/J + n2/n1) S²,   n2/n1 = 1/(K - 1) of K folds (Bouckaert and Frank 2004),

S² the variance between folds (J - 1 degrees of freedom), n2/n1 the test examples per example that is not tested on; the
validation examples, which choose the best epoch, count among those. Seeds crossed with folds are averaged within each
fold first: they repeat the training and not the data, so that folds stay the units; what one seed would do to all folds
alike is then not in the interval.

An interval over seeds says how the mean moves with initialisation, order and dropout, on this one split. None says how
it would move on other data.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean, stdev

Score = tuple[int, int | None, float]
"""(seed, fold, value)."""

LEVEL = 0.95
INSIDE = (1 + LEVEL) / 2  # of t, below the upper end of an interval


@dataclass(frozen=True)
class Estimate:
    """A mean and how far it is known.

    Attributes:
        count: of runs.
        units: that vary independently of one another, or are corrected for not doing so: seeds, or folds.
        over: ``seeds`` or ``folds``.
        deviation: standard deviation between the units; None for a single one.
        half: half the 95 % interval; None for a single unit, whose spread nobody knows.
    """

    mean: float
    count: int
    units: int
    over: str
    deviation: float | None = None
    half: float | None = None

    @property
    def low(self) -> float | None:
        return None if self.half is None else self.mean - self.half

    @property
    def high(self) -> float | None:
        return None if self.half is None else self.mean + self.half

    @property
    def error(self) -> float | None:
        """The standard error of the mean."""
        return None if self.half is None else self.half / t_quantile(INSIDE, self.units - 1)


def estimate(scores: Sequence[Score], folds: int | None) -> Estimate | None:
    """Mean, deviation and interval of a cell's scores; None of none.

    Args:
        folds: into how many the data were cut; None: they were not.
    """
    if not scores:
        return None
    values, over = units(scores)
    mean = fmean(value for _, _, value in scores) if over == "seeds" else fmean(values)
    if len(values) == 1:
        return Estimate(mean, len(scores), 1, over)
    deviation = stdev(values)
    share = 1 / len(values)
    if over == "folds":
        share += 1 / (max(folds or 0, len(values)) - 1)
    half = t_quantile(INSIDE, len(values) - 1) * math.sqrt(share) * deviation
    return Estimate(mean, len(scores), len(values), over, deviation, half)


def units(scores: Sequence[Score]) -> tuple[list[float], str]:
    """(the values that are taken to vary, ``seeds`` or ``folds``): of several folds their means over the seeds."""
    by_fold: dict[int | None, list[float]] = defaultdict(list)
    for _, fold, value in scores:
        by_fold[fold].append(value)
    if len(by_fold) > 1:
        return [fmean(values) for values in by_fold.values()], "folds"
    return [value for _, _, value in scores], "seeds"


def paired(scores: Sequence[Score], baseline: Sequence[Score]) -> list[Score]:
    """The differences from a baseline, run by run: of each (seed, fold) that both have."""
    there = {(seed, fold): value for seed, fold, value in baseline}
    return [(seed, fold, value - there[seed, fold]) for seed, fold, value in scores if (seed, fold) in there]


@lru_cache(maxsize=1024)
def t_quantile(probability: float, freedom: int) -> float:
    """Of Student's t: below it lies that share."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, probability))

"""Whether two cells differ beyond chance: paired by (seed, fold), corrected for how many are compared.

The p that is shown and corrected is that of the paired t test (of folds: corrected as their interval is), so that a
difference counts exactly where its uncorrected interval leaves zero out. Beside it, of seeds, stands the exact
sign-flip test of the same mean (Fisher 1935), which assumes nothing of the shape: of n pairs it cannot say less than
2^(1 - n), which is 0.0625 of five. Wilcoxon's test is left out: as exact as sign flips and with the same least p, but
of ranks, where the table shows means. Signs of folds cannot be flipped one by one, as their training sets overlap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from assay.sweeps.tables.statistics import LEVEL, Estimate, Score, estimate, paired, t_quantile, units

ALPHA = 1 - LEVEL
POWER = 0.8
MOST = 10_000  # seeds: a difference that needs more is called none
_EXACT = 18  # pairs, of which every flip is looked at; of more, a sample
_SAMPLE, _BLOCK = 100_000, 1000
_EQUAL = 1e-6  # of the largest score: a float32's rounding, not a difference


@dataclass(frozen=True)
class Comparison:
    """A cell against its baseline.

    Attributes:
        difference: of the pairs, cell minus baseline.
        p: two-sided, of the t test; where all pairs differ by exactly the same, of the sign flips (of folds: None).
            None of one pair.
        corrected: the same after Holm's correction over the comparisons of one table.
        exact: of the sign-flip test; None of folds.
        least: the smallest p that so many pairs allow the sign-flip test.
        needed: seeds in all that would show a difference of this size (see :func:`seeds_needed`); None of folds, of
            one pair, and where no number would.
    """

    difference: Estimate
    p: float | None = None
    corrected: float | None = None
    exact: float | None = None
    least: float | None = None
    needed: int | None = None

    @property
    def differs(self) -> bool:
        """Beyond chance, at 5 % over all comparisons of the table."""
        return self.corrected is not None and self.corrected < ALPHA


def compare(scores: Sequence[Score], baseline: Sequence[Score], folds: int | None) -> Comparison | None:
    """A cell's scores against a baseline's; None where they share no seed and fold."""
    pairs = paired(scores, baseline)
    found = estimate(pairs, folds)
    if found is None or found.half is None or found.deviation is None:
        return None if found is None else Comparison(found)
    least_told = _EQUAL * max(abs(value) for _, _, value in (*scores, *baseline))
    if found.deviation <= least_told:
        mean = 0.0 if abs(found.mean) <= least_told else found.mean
        found = replace(found, mean=mean, deviation=0.0, half=0.0)
    if found.over == "folds":
        return Comparison(found, _t_test(found))
    values, _ = units(pairs)
    exact = sign_flips(values) if found.mean else 1.0
    p = _t_test(found)
    needed = seeds_needed(found.mean, found.deviation or 0.0)
    return Comparison(found, exact if p is None else p, exact=exact, least=2.0 ** (1 - len(values)), needed=needed)


def against(cells: Sequence[Sequence[Score]], baseline: Sequence[Score], folds: int | None) -> list[Comparison | None]:
    """Every cell against one baseline, with p corrected over all of them, and seeds counted for the strictest of the
    bounds that Holm's procedure sets: alpha over their number."""
    found = [compare(scores, baseline, folds) for scores in cells]
    corrected = holm([None if one is None else one.p for one in found])
    tested = sum(p is not None for p in corrected)
    return [
        None if one is None else replace(one, corrected=p, needed=_needed(one, tested))
        for one, p in zip(found, corrected, strict=True)
    ]


def _needed(one: Comparison, tested: int) -> int | None:
    if one.least is None or tested < 2:
        return one.needed
    return seeds_needed(one.difference.mean, one.difference.deviation or 0.0, alpha=ALPHA / tested)


def holm(values: Sequence[float | None]) -> list[float | None]:
    """p corrected for being several, so that the chance of any false one stays below alpha.

    Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6, 1979: the
    k-th smallest of m is multiplied by m - k + 1 and is at least the one before it. None is no comparison.
    """
    order = sorted((p, place) for place, p in enumerate(values) if p is not None)
    found: list[float | None] = [None] * len(values)
    least = 0.0
    for done, (p, place) in enumerate(order):
        least = max(least, min(1.0, p * (len(order) - done)))
        found[place] = least
    return found


def sign_flips(differences: Sequence[float]) -> float:
    """Two-sided p of the mean when each difference could as well have had the other sign.

    Fisher, "The Design of Experiments", 1935, section 21. Every one of the 2^n flips up to 18 pairs; of more 100,000
    drawn ones, the observed signs among them.
    """
    import numpy as np

    size = np.abs(np.asarray(differences, float))
    observed = abs(math.fsum(differences)) * (1 - 1e-9)  # flips that give the same sum, whatever its rounding
    if len(size) <= _EXACT:
        sums = np.zeros(1)
        for value in size:
            sums = np.concatenate([sums - value, sums + value])  # (2^n,)
        return float(np.mean(np.abs(sums) >= observed))
    draws, hits = np.random.default_rng(0), 0
    for _ in range(_SAMPLE // _BLOCK):
        signs = draws.integers(0, 2, (_BLOCK, len(size))) * 2 - 1  # (block, n)
        hits += int(np.sum(np.abs(signs @ size) >= observed))
    return (1 + hits) / (1 + _SAMPLE)


def seeds_needed(mean: float, deviation: float, power: float = POWER, alpha: float = ALPHA) -> int | None:
    """The fewest pairs by which a paired t test finds a difference with that power, were its true size and spread those
    that were seen: of few pairs a rough guess. None above 10,000.

    The power is that of the noncentral t (Cohen 1988, section 2.3), of one comparison at ``alpha``.
    """
    if mean == 0:
        return None
    if deviation == 0:
        return 2
    effect = abs(mean) / deviation
    low, high = 1, 2
    while _power(high, effect, alpha) < power:
        low, high = high, 2 * high
        if low > MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _power(middle, effect, alpha) >= power else (middle, high)
    return high if high <= MOST else None


def _power(pairs: int, effect: float, alpha: float) -> float:
    from scipy.special import nctdtr

    shift = effect * math.sqrt(pairs)
    if shift > 30:  # beyond what the series of scipy can sum, and certain
        return 1.0
    bound = t_quantile(1 - alpha / 2, pairs - 1)
    return float(1 - nctdtr(pairs - 1, shift, bound) + nctdtr(pairs - 1, shift, -bound))


def _t_test(found: Estimate) -> float | None:
    """Two-sided p that the mean is zero; None where all differences are the same, and not zero."""
    from scipy.special import stdtr

    if not found.error:
        return 1.0 if found.mean == 0 else None
    return float(2 * stdtr(found.units - 1, -abs(found.mean) / found.error))

"""Intervals of means: against integrals, published numbers, and (slow) how often they hold what they should."""

from __future__ import annotations

import math
import random
from statistics import fmean, stdev

import numpy as np
import pytest

from assay.sweeps.tables.statistics import Score, estimate, paired, t_quantile, units
from tests.references import statistics as reference

SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
"""Student, "The Probable Error of a Mean", Biometrika 6, 1908, section IX: additional hours of sleep, drug 2 less 1."""


def over_seeds(values) -> list[Score]:
    return [(seed, None, float(value)) for seed, value in enumerate(values)]


def over_folds(values) -> list[Score]:
    return [(0, fold, float(value)) for fold, value in enumerate(values)]


@pytest.mark.parametrize("freedom", [1, 2, 4, 9, 30])
def test_the_quantile_is_that_of_the_density(freedom):
    assert t_quantile(0.975, freedom) == pytest.approx(reference.t_bound(freedom), rel=1e-4)


def test_students_sleep():
    found = estimate(over_seeds(SLEEP), None)
    assert (round(found.mean, 2), round(found.deviation, 2)) == (1.58, 1.23)
    assert (round(found.low, 7), round(found.high, 7)) == (0.7001142, 2.4598858), "t.test(sleep) of R"
    assert (found.count, found.units, found.over) == (10, 10, "seeds")


@pytest.mark.parametrize("folds", [2, 5, 10])
def test_folds_by_the_equation_of_nadeau_and_bengio(folds):
    source = random.Random(folds)
    values = [source.gauss(0.8, 0.05) for _ in range(folds)]
    found = estimate(over_folds(values), folds)
    mean = sum(values) / folds
    variance = sum((value - mean) ** 2 for value in values) / (folds - 1)
    tested, trained = 1 / folds, 1 - 1 / folds
    half = reference.t_bound(folds - 1) * math.sqrt((1 / folds + tested / trained) * variance)
    assert found.half == pytest.approx(half, rel=1e-4)
    assert found.over == "folds"
    assert found.half > 1.4 * estimate(over_seeds(values), None).half, "wider than if folds were independent"


def test_folds_that_are_missing_count_for_less():
    whole, part = estimate(over_folds([0.1, 0.2, 0.3]), 3), estimate(over_folds([0.1, 0.2, 0.3]), 10)
    assert part.half < whole.half, "a tenth of the data tests, and nine train"
    half = t_quantile(0.975, 2) * math.sqrt(1 / 3 + 1 / 9) * 0.1
    assert part.half == pytest.approx(half)


def test_seeds_of_a_fold_repeat_no_data():
    scores = [(seed, fold, fold / 10 + seed / 100) for seed in range(3) for fold in range(5)]
    found = estimate(scores, 5)
    assert (found.count, found.units, found.over) == (15, 5, "folds")
    assert found.half == pytest.approx(estimate(over_folds([fold / 10 for fold in range(5)]), 5).half)
    assert found.mean == pytest.approx(0.21)


def test_several_seeds_on_one_fold_are_seeds():
    assert units([(0, 3, 0.1), (1, 3, 0.2)]) == ([0.1, 0.2], "seeds")


def test_a_single_run_has_no_interval():
    found = estimate([(0, None, 0.7)], None)
    assert (found.mean, found.half, found.low, found.deviation, found.error) == (0.7, None, None, None, None)
    assert estimate([], None) is None


def test_pairs_are_of_the_same_seed_and_fold():
    scores = [(0, 1, 0.5), (1, 1, 0.7), (0, 2, 0.9), (5, 1, 0.1)]
    baseline = [(0, 2, 0.6), (1, 1, 0.6), (0, 1, 0.1), (7, 1, 0.4)]
    assert [(s, f, round(d, 9)) for s, f, d in paired(scores, baseline)] == [(0, 1, 0.4), (1, 1, 0.1), (0, 2, 0.3)]


def correlated(folds: int, seeds: int, trials: int, noise: float) -> np.ndarray:
    """Scores of the folds of one data set (trials, seeds, folds) about zero, as Nadeau and Bengio's correction takes
    them: any two folds are correlated by the share of examples that is tested on; a seed adds noise of its own."""
    draws = np.random.default_rng(folds * seeds)
    shared = 1 / folds
    data = math.sqrt(shared) * draws.normal(size=(trials, 1, 1)) + math.sqrt(1 - shared) * draws.normal(
        size=(trials, 1, folds)
    )
    return data + noise * draws.normal(size=(trials, seeds, folds))


def covered(scores: list[list[Score]], folds: int | None) -> float:
    found = [estimate(one, folds) for one in scores]
    return fmean(one.low <= 0 <= one.high for one in found)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_an_interval_over_seeds_holds_the_mean_in_95_percent(seeds):
    values = np.random.default_rng(seeds).normal(size=(20_000, seeds))
    assert covered([over_seeds(row) for row in values], None) == pytest.approx(0.95, abs=0.015)


@pytest.mark.slow
@pytest.mark.parametrize("folds", [5, 10])
def test_an_interval_over_folds_holds_the_mean_in_95_percent(folds):
    values = correlated(folds, 1, 20_000, 0.0)[:, 0]
    assert covered([over_folds(row) for row in values], folds) == pytest.approx(0.95, abs=0.015)
    naive = fmean(abs(fmean(row)) <= t_quantile(0.975, folds - 1) * stdev(row) / folds**0.5 for row in values.tolist())
    assert naive < 0.87, "what the uncorrected interval holds"


@pytest.mark.slow
def test_seeds_crossed_with_folds_hold_at_least_as_much():
    values = correlated(5, 3, 10_000, 0.7)
    scores = [[(s, f, float(row[s, f])) for s in range(3) for f in range(5)] for row in values]
    assert 0.945 <= covered(scores, 5) <= 0.98
    naive = [estimate(over_seeds(row.ravel()), None) for row in values]
    assert fmean(one.low <= 0 <= one.high for one in naive) < 0.85, "fifteen runs are not fifteen data sets"

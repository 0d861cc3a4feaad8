"""Paired tests and their correction: enumerated, held against scipy, and against numbers that were published."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from assay.sweeps.tables import comparison
from assay.sweeps.tables.comparison import against, compare, holm, seeds_needed, sign_flips
from assay.sweeps.tables.statistics import estimate
from tests.references import statistics as reference
from tests.sweeps.tables.test_statistics import SLEEP, correlated, over_folds, over_seeds

DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
"""Fisher, "The Design of Experiments", 1935, section 17: crossed less selfed maize, in eighths of an inch."""


def versus(differences, folds=None):
    make = over_folds if folds else over_seeds
    return compare(make(differences), make([0.0] * len(differences)), folds)


def test_darwins_maize():
    found = versus(DARWIN)
    assert found.exact == 1726 / 32768, "Fisher's own count, section 21"
    assert round(found.p, 4) == 0.0497, "his t of 2.148"
    assert found.least == 2**-14


def test_students_sleep():
    assert round(versus(SLEEP).p, 6) == 0.002833, "t.test(sleep, paired) of R"


def drawn(pairs):
    source = random.Random(pairs)
    return ([source.gauss(0.5, 1) for _ in range(pairs)] for _ in range(2))


@pytest.mark.parametrize("pairs", [2, 3, 5, 12])
def test_p_is_the_area_under_the_density(pairs):
    found = compare(*map(over_seeds, drawn(pairs)), None)
    t = abs(found.difference.mean / found.difference.error)
    assert found.p == pytest.approx(2 * reference.t_above(t, pairs - 1), rel=1e-3)
    assert (found.p < 0.05) == (abs(found.difference.mean) > found.difference.half)


@pytest.mark.slow
@pytest.mark.parametrize("pairs", [2, 3, 5, 12])
def test_p_is_that_of_scipy(pairs):
    from scipy import stats

    first, second = drawn(pairs)
    found = compare(over_seeds(first), over_seeds(second), None)
    assert found.p == pytest.approx(stats.ttest_rel(first, second).pvalue, rel=1e-9)
    exact = stats.permutation_test(
        (np.subtract(first, second),), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert found.exact == pytest.approx(exact.pvalue)


@pytest.mark.parametrize("pairs", range(1, 9))
def test_sign_flips_are_enumerated(pairs):
    source = random.Random(pairs)
    values = [source.choice((-0.1, 0.2, 0.3, 0.3)) for _ in range(pairs)]
    assert sign_flips(values) == reference.sign_flip_p(values)
    assert sign_flips([0.1] * pairs) == 2.0 ** (1 - pairs)


def test_many_sign_flips_are_drawn(monkeypatch):
    source = random.Random(3)
    values = [source.gauss(0.4, 1) for _ in range(15)]
    exact = sign_flips(values)
    monkeypatch.setattr(comparison, "_EXACT", 10)
    drawn = sign_flips(values)
    assert drawn != exact
    assert drawn == pytest.approx(exact, abs=0.004)
    assert sign_flips([1.0] * 40) == 1 / 100_001, "never zero"


def test_holm_rejects_what_the_procedure_does():
    source = random.Random(0)
    for _ in range(300):
        values = [source.choice((0.001, 0.012, 0.02, 0.03, 0.04, 0.2)) * source.random() for _ in range(5)]
        corrected = holm(values)
        for alpha in (0.01, 0.05, 0.1):
            assert {place for place, p in enumerate(corrected) if p <= alpha} == reference.holm_rejected(values, alpha)


def test_holm_of_an_example():
    assert holm([0.01, None, 0.04, 0.03, 0.005]) == pytest.approx([0.03, None, 0.06, 0.06, 0.02]), "as R's p.adjust"
    assert holm([0.7, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(("effect", "pairs"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_seeds_needed_are_those_of_the_tables(effect, pairs):
    """G*Power 3.1 (Faul et al. 2007): matched pairs, two-sided, alpha 0.05, power 0.8, for Cohen's three sizes."""
    assert seeds_needed(effect, 1.0) == seeds_needed(-effect * 3, 3.0) == pairs


def test_seeds_needed_at_the_ends():
    assert seeds_needed(0.0, 1.0) is None
    assert seeds_needed(0.02, 1.0) is None, "more than ten thousand"
    assert seeds_needed(1.0, 0.0) == seeds_needed(1000.0, 1.0) == 2


def test_equal_differences_have_no_t():
    found = versus([0.1, 0.1, 0.1])
    assert (found.difference.half, found.p, found.exact) == (0.0, 0.25, 0.25)
    found = versus([0.0, 0.0, 0.0])
    assert (found.p, found.exact, found.needed) == (1.0, 1.0, None)
    float32 = compare(over_seeds([0.9444444537162781, 0.944444417953491]), over_seeds([0.5, 0.5]), None)
    assert float32.p == 0.5, "what differs in a float32's last digit is equal"
    assert versus([0.1, 0.1], folds=2).p is None
    assert versus([0.0, 0.0], folds=2).p == 1.0


def test_one_pair_and_none():
    found = versus([0.3])
    assert (found.difference.mean, found.difference.half, found.p, found.needed) == (0.3, None, None, None)
    assert compare(over_seeds([1.0]), over_folds([1.0]), None) is None


def test_folds_are_compared_by_the_corrected_t_alone():
    values = [0.02, 0.03, 0.01, 0.05, 0.02]
    found, seeds = versus(values, folds=5), versus(values)
    assert (found.exact, found.least, found.needed) == (None, None, None)
    assert found.p > seeds.p
    t = found.difference.mean / found.difference.error
    assert found.p == pytest.approx(2 * reference.t_above(t, 4), rel=1e-3)


def test_all_comparisons_of_a_table_are_corrected():
    source = random.Random(1)
    cells = [[source.gauss(shift, 0.1) for _ in range(5)] for shift in (0.0, 1.0, 0.1)]
    baseline = over_seeds([source.gauss(0, 0.1) for _ in range(5)])
    found = against([*map(over_seeds, cells), over_folds([1.0])], baseline, None)
    assert found[3] is None
    assert [one.corrected for one in found[:3]] == holm([one.p for one in found[:3]])
    assert [one.differs for one in found[:3]] == [one.corrected < 0.05 for one in found[:3]]
    assert any(one.differs for one in found[:3])
    for one in found[:3]:
        assert one.needed == seeds_needed(one.difference.mean, one.difference.deviation, alpha=0.05 / 3)
        assert one.differs or one.needed > 5, "what was not found with five seeds needs more"
    assert against([over_seeds(cells[2])], baseline, None)[0].needed < found[2].needed


@pytest.mark.slow
def test_of_equal_cells_few_differ():
    """The chance that any of four comparisons with a common baseline is called different, where none is."""
    draws = np.random.default_rng(0).normal(size=(1500, 5, 6))
    hits = [any(one.differs for one in against([*map(over_seeds, row[1:])], over_seeds(row[0]), None)) for row in draws]
    assert 0.015 <= np.mean(hits) <= 0.06


@pytest.mark.slow
def test_of_equal_cells_few_differ_over_folds():
    pairs = correlated(5, 1, 8000, 0.0)[:, 0]
    assert np.mean([versus(row, folds=5).p < 0.05 for row in pairs]) == pytest.approx(0.05, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("effect", [0.5, 1.0])
def test_that_many_seeds_have_the_power(effect):
    pairs = seeds_needed(effect, 1.0)
    draws = np.random.default_rng(1).normal(effect, 1.0, size=(8000, pairs))
    found = np.array([comparison._t_test(estimate(over_seeds(row), None)) for row in draws])
    assert np.mean(found < 0.05) == pytest.approx(0.8, abs=0.025)


@pytest.mark.slow
def test_sign_flips_of_nothing_are_uniform():
    draws = np.random.default_rng(2).standard_cauchy(size=(4000, 8))
    found = np.array([sign_flips(row) for row in draws])
    for share in (0.05, 0.25, 0.5):
        attainable = max(k / 128 for k in range(129) if k / 128 <= share)
        assert np.mean(found <= share) == pytest.approx(attainable, abs=0.02)
    assert len(list(itertools.product((1, -1), repeat=8))) * found.min() >= 2

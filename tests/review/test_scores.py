"""Intervals, scores of classes and calibration, against scikit-learn, SciPy and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from assay.review import scores
from assay.review.facts import Prediction
from tests.references import review as reference
from tests.review import run_folders

NAMES = ("a", "b", "c", "never")


def predictions(rows):
    return [Prediction(str(i), t, p, float(q) if q else math.nan, float(loss)) for i, t, p, q, loss in rows]


@pytest.mark.parametrize(("hits", "count"), [(0, 7), (7, 7), (1, 3), (174, 180), (5000, 10000)])
def test_wilson(hits, count):
    from scipy.stats import binomtest

    expected = binomtest(hits, count).proportion_ci(0.95, method="wilson")
    assert scores.wilson(hits, count) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_of_nothing_everything_is_possible():
    assert scores.wilson(0, 0) == (0.0, 1.0)


def test_intervals_of_classes():
    from sklearn.metrics import f1_score

    rows = predictions(run_folders.class_rows(NAMES[:3], 150))
    found = scores.intervals(rows, "class", NAMES)
    assert set(found) == {"accuracy", "macro_f1", "log_loss"}
    hits = sum(row.target == row.prediction for row in rows)
    assert found["accuracy"] == scores.wilson(hits, 150)

    def macro(drawn):
        return f1_score([row.target for row in drawn], [row.prediction for row in drawn], average="macro")

    def mean(drawn):
        return sum(row.loss for row in drawn) / len(drawn)

    assert found["macro_f1"] == pytest.approx(reference.bootstrap(rows, macro, draws=300), abs=0.02)
    assert found["log_loss"] == pytest.approx(reference.bootstrap(rows, mean), abs=0.03)


def test_intervals_of_numbers():
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    rows = predictions(run_folders.number_rows(120))
    found = scores.intervals(rows, "number", ())
    for name, score in (("mae", mean_absolute_error), ("rmse", root_mean_squared_error), ("r2", r2_score)):

        def drawn(some, score=score):
            return score([float(row.target) for row in some], [float(row.prediction) for row in some])

        assert found[name] == pytest.approx(reference.bootstrap(rows, drawn, draws=400), rel=0.05), name


def test_intervals_of_labels():
    from sklearn.metrics import f1_score

    names = ("a", "b", "c")
    rows = predictions(run_folders.label_rows(names, 100))
    found = scores.intervals(rows, "labels", names)
    assert set(found) == {"accuracy", "micro_f1", "macro_f1", "log_loss"}

    def matrix(some, side):
        return np.array([[name in getattr(row, side).split("|") for name in names] for row in some])

    for average in ("micro", "macro"):

        def drawn(some, average=average):
            return f1_score(matrix(some, "target"), matrix(some, "prediction"), average=average, zero_division=0)

        assert found[f"{average}_f1"] == pytest.approx(reference.bootstrap(rows, drawn, draws=200), abs=0.03)


def test_the_points_lie_within_and_agree_with_the_run(digits_run):
    """The same metrics as the run's own torchmetrics, recomputed from the table that it wrote."""
    from assay.review.facts import read

    run = read(digits_run.folder)
    found = scores.intervals(run.predictions, run.kind, run.names)
    test = run.scores("test")
    for name, interval in found.items():
        assert interval.low <= test[name] <= interval.high, name
    values, right = scores.probabilities(run.predictions), [r.target == r.prediction for r in run.predictions]
    assert scores.calibration(values, np.array(right))[1] == pytest.approx(test["calibration_error"], abs=1e-5)
    targets, answers, size = scores.codes(run.predictions, run.names)
    matrix = scores.confusion(targets, answers, size)
    f1 = scores.macro_f1(matrix.diagonal(), matrix.sum(1), matrix.sum(0))
    assert float(f1) == pytest.approx(test["macro_f1"], abs=1e-6)


def test_groups_of_a_large_table_leave_the_width_of_an_interval():
    values = np.random.default_rng(0).exponential(size=30_000)
    draws = scores.Bootstrap(len(values))
    found = scores.middle95(draws.total(values) / draws.size)
    width = 2 * 1.96 * values.std() / math.sqrt(len(values))
    assert found is not None
    assert found.high - found.low == pytest.approx(width, rel=0.1)
    assert found.low < values.mean() < found.high


def test_an_interval_covers_as_often_as_it_says():
    source = np.random.default_rng(0)
    covered = 0
    for seed in range(300):
        values = source.exponential(size=200)
        draws = scores.Bootstrap(200, draws=400, seed=seed)
        found = scores.middle95(draws.total(values) / draws.size)
        assert found is not None
        covered += found.low <= 1 <= found.high
    assert 0.90 <= covered / 300 <= 0.98


def test_the_same_table_gives_the_same_interval():
    rows = predictions(run_folders.number_rows(50))
    assert scores.intervals(rows, "number", ()) == scores.intervals(rows, "number", ())


def test_scores_of_each_class_and_the_matrix():
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    rows = predictions(run_folders.class_rows(NAMES[:3], 200, 0.6))
    targets, answers, size = scores.codes(rows, NAMES)
    matrix = scores.confusion(targets, answers, size)
    assert size == 4
    known, said = [row.target for row in rows], [row.prediction for row in rows]
    assert matrix.tolist() == confusion_matrix(known, said, labels=list(NAMES)).tolist()
    found = scores.class_scores(matrix.diagonal(), matrix.sum(1), matrix.sum(0), NAMES)
    expected = precision_recall_fscore_support(known, said, labels=list(NAMES[:3]))
    for place, one in enumerate(found[:3]):
        assert (one.precision, one.recall, one.f1, one.support) == pytest.approx([part[place] for part in expected])
    assert found[3].name == "never"
    assert found[3].support == 0
    assert math.isnan(found[3].f1)


def test_a_class_that_only_the_table_knows_has_a_place_of_its_own():
    rows = [Prediction("0", "new", "a", 0.5, 1.0), Prediction("1", "a", "a", 0.5, 1.0)]
    targets, answers, size = scores.codes(rows, ["a", "b"])
    assert (targets.tolist(), answers.tolist(), size) == ([2, 0], [0, 0], 3)


def test_label_sets_that_cannot_be_told_apart_are_not_guessed():
    rows = [Prediction("0", "a|b", "a", 0.5, 1.0)]
    assert scores.label_sets(rows, ["a|b", "a"]) is None
    assert scores.label_sets(rows, ["a"]) is None
    there, said = scores.label_sets(rows, ["a", "b"]) or (None, None)
    assert there.tolist() == [[True, True]]
    assert said.tolist() == [[True, False]]


def test_calibration():
    source = np.random.default_rng(3)
    values = np.round(np.append(source.uniform(0, 1, 500), [0.0, 1.0, 1 / 15, 2 / 15]), 6)
    right = source.random(len(values)) < values**1.5
    found, error = scores.calibration(values, right)
    assert error == pytest.approx(reference.calibration_error(values.tolist(), right.tolist()), abs=1e-12)
    assert sum(one.count for one in found) == len(values)
    assert all(one.low <= one.confidence <= one.high for one in found)


def test_what_chance_gives_a_calibrated_model():
    source = np.random.default_rng(0)
    values = source.uniform(0.3, 1, 400)
    limit = scores.by_chance(values)
    below = sum(scores.calibration(values, source.random(400) < values)[1] <= limit for _ in range(300))
    assert 0.90 <= below / 300 <= 0.985
    assert scores.calibration(values, source.random(400) < values - 0.2)[1] > limit


def test_a_loss_without_bounds_has_no_interval():
    rows = [Prediction(str(i), "a", "a", 0.5, math.inf if i == 3 else 1.0) for i in range(40)]
    assert "log_loss" not in scores.intervals(rows, "class", ["a"])


@pytest.mark.parametrize("kind", ["class", "labels", "number", None])
def test_of_an_empty_table_there_is_nothing(kind):
    assert scores.intervals([], kind, ["a"]) == {}

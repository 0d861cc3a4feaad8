"""Curves of many runs: what is picked out of metrics.csv, and the mean and interval of a band."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from assay.review.comparison.measured import POINTS, Curve, band, curves


def curve(steps, values):
    return Curve(np.array(steps, float), np.array(steps, float) // 10, np.array(values, float))


def test_only_the_named_metrics_and_only_whole_finite_rows(tmp_path):
    (tmp_path / "metrics.csv").write_text(
        "step,epoch,name,value\n"
        "1,0,train/loss,2.5\n"
        "1,0,val/loss,7\n"
        '1,0,"val/a, ""b""",3\n'
        "2,0,train/loss,inf\n"
        "3,1,train/loss,1.5e-3\n"
        "3,1,train/loss2,9\n"
        "4,1,train/loss,0.0"  # torn: no end of its line
    )
    found = curves(tmp_path, ["train/loss", 'val/a, "b"', "val/absent"])
    assert set(found) == {"train/loss", 'val/a, "b"'}
    assert found["train/loss"].step.tolist() == [1, 3]
    assert found["train/loss"].epoch.tolist() == [0, 1]
    assert found["train/loss"].value.tolist() == [2.5, 1.5e-3]
    assert curves(tmp_path / "no", ["train/loss"]) == {}


def test_the_mean_and_its_interval_are_those_of_student():
    source = np.random.default_rng(0)
    values = source.normal(size=(5, 4))
    made = band([curve([10, 20, 30, 40], row) for row in values])
    assert made.step.tolist() == [10, 20, 30, 40]
    np.testing.assert_allclose(made.mean, values.mean(0))
    low, high = stats.t.interval(0.95, 4, loc=values.mean(0), scale=stats.sem(values))
    np.testing.assert_allclose(made.mean - made.half, low)
    np.testing.assert_allclose(made.mean + made.half, high)
    assert made.runs.tolist() == [5, 5, 5, 5]
    assert made.stretch == 0


def test_one_run_has_no_interval_and_none_no_band():
    made = band([curve([1, 2], [3, 4])])
    assert made.mean.tolist() == [3, 4]
    assert all(math.isnan(half) for half in made.half)
    assert band([]) is None


def test_it_ends_where_fewer_than_half_of_the_runs_go_on():
    long, short = curve([1, 2, 3, 4], [1, 1, 1, 1]), curve([1, 2], [3, 3])
    made = band([long, short, short])
    assert made.step.tolist() == [1, 2]
    made = band([long, long, short])
    assert made.step.tolist() == [1, 2, 3, 4]
    assert made.runs.tolist() == [3, 3, 2, 2]
    np.testing.assert_allclose(made.mean, [5 / 3, 5 / 3, 1, 1])


def test_long_curves_are_averaged_within_each_run_first():
    steps = np.arange(1, 1201)
    source = np.random.default_rng(1)
    values = [source.normal(size=1200) + run for run in range(3)]
    made = band([curve(steps, row) for row in values])
    assert len(made.step) == POINTS
    assert made.stretch == pytest.approx(1199 / POINTS, abs=1)
    edges = np.linspace(1, 1200, POINTS + 1)
    first = [row[(steps >= edges[0]) & (steps < edges[1])].mean() for row in values]
    assert made.mean[0] == pytest.approx(np.mean(first))
    low, high = stats.t.interval(0.95, 2, loc=np.mean(first), scale=stats.sem(first))
    assert made.half[0] == pytest.approx((high - low) / 2)

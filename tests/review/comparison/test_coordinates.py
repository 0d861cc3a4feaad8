"""Parallel coordinates and bands: where lines go, and how many of them there are."""

from __future__ import annotations

import json
import re
from html import unescape
from types import SimpleNamespace

import numpy as np

from assay.lifecycle.records import natural
from assay.review.comparison.bands import Line, bands, style
from assay.review.comparison.coordinates import coordinates
from assay.review.comparison.measured import Curve, band
from assay.review.comparison.ranked import ranked
from assay.sweeps.tables.cells import Cell, Group


def group(settings, scores, mode="max", metric="val/accuracy"):
    cells = []
    for one, score in zip(settings, scores, strict=True):
        run = SimpleNamespace(seed=0, summary={metric: score}, config=lambda key: (True, None), switches={})
        cells.append(Cell(one, [run]))
    keys = list(dict.fromkeys(key for one in settings for key in one))
    return ranked(Group("digits", "d", metric, mode, keys, cells, {}))


def lines(html):
    """{cell: (class, places on each axis)}."""
    found = re.findall(r'<polyline points="([^"]*)" class="(\w+)" data-cell="(\d+)">', html)
    return {int(cell): (name, [float(p.split(",")[1]) for p in points.split()]) for points, name, cell in found}


def test_the_best_lies_on_top_of_its_value_and_of_the_score():
    settings = [{"model": m, "optim": o} for m in ("gru", "rnn") for o in ("adam", "sgd", "none")]
    found = lines("".join(coordinates(group(settings, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]))))
    scores = [found[cell][1][-1] for cell in range(6)]
    assert scores == sorted(scores)
    assert found[0][1][0] < found[1][1][0] < found[2][1][0]  # all three are gru
    assert found[0][0] == "p4"
    assert found[5][0] == "p0"
    lower = lines("".join(coordinates(group(settings, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], "min", "val/rmse"))))
    assert lower[0][1][-1] < lower[5][1][-1]  # the lowest error on top


def test_axes_stand_in_the_order_of_what_mattered():
    settings = [{"model": "a", "optim": "x"}, {"model": "b", "optim": "x"}, {"model": "a", "optim": "y"}]
    html = "".join(coordinates(group(settings, [1, 2, 3]), ["optim"]))
    assert html.index(">optim<") < html.index(">model<")


def test_many_numbers_get_a_scale_and_are_logarithmic_over_decades():
    rates = [10 ** (-4 + n / 8) for n in range(25)]
    settings = [{"optim.lr": f"{rate:g}", "model": "ab"[n % 2]} for n, rate in enumerate(rates)]
    found = lines("".join(coordinates(group(settings, [n / 100 for n in range(25)]))))
    places = [found[24 - n][1][0] for n in range(25)]
    steps = np.diff(places)
    np.testing.assert_allclose(steps, steps[0], atol=0.2)
    assert steps[0] < 0  # larger is higher


def test_nothing_where_there_is_nothing_to_cross():
    assert coordinates(group([{"model": "a"}, {"model": "b"}], [1, 2])) == []


def test_more_cells_than_a_page_can_hold_are_the_best_ones():
    settings = [{"a": str(n), "b": "x"} for n in range(700)]
    html = "".join(coordinates(group(settings, [n / 700 for n in range(700)])))
    assert html.count("<polyline") == 600
    assert "the 600 best of 700 cells" in html


def test_values_are_sorted_as_numbers_then_words():
    assert sorted(["0.01", "none", "0.003", "10", "1e-4"], key=natural) == [
        "1e-4",
        "0.003",
        "0.01",
        "10",
        "none",
    ]


def test_a_ninth_line_has_dashes():
    assert [style(n) for n in (0, 7, 8, 15, 16)] == ["c0", "c7", "c0 d", "c7 d", "c0"]


def test_bands_carry_their_values_and_stay_in_the_frame():
    steps = np.arange(1.0, 41.0)
    runs = [Curve(steps, steps // 10, 1 - 0.9 * np.exp(-steps / 5) + shift) for shift in (0.0, 0.01)]
    made = band(runs)
    html = bands("val/accuracy", [Line("model=a", made, 0)], [made])
    (held,) = json.loads(unescape(re.search(r'data-series="([^"]*)"', html)[1]))
    assert held["name"] == "model=a"
    assert held["points"][-1][:2] == [40, 4]
    assert held["points"][-1][2] == "1.005 ± 0.064"
    assert all(12 <= point[4] <= 198 for point in held["points"])
    assert html.count("line other") == 1
    falling = band([Curve(steps, steps, np.exp(-steps))])
    assert "(logarithmic)" in bands("train/loss", [Line("a", falling, 0)], [], loss=True)

"""Charts: every place is within the picture, spikes survive thinning, and a sentence says what is drawn."""

from __future__ import annotations

import json
import math
import re
from html import unescape

import pytest

from assay.review import charts
from assay.review.charts import Scale, Series
from assay.review.scores import Interval


def places(made):
    """All coordinates of lines and circles."""
    numbers = [float(n) for d in re.findall(r' d="M([^"]*)"', made) for n in re.split("[L ]", d)]
    across = numbers[::2] + [float(n) for n in re.findall(r' (?:cx|x1|x2)="([^"]*)"', made)]
    up = numbers[1::2] + [float(n) for n in re.findall(r' (?:cy|y1|y2)="([^"]*)"', made)]
    return across, up


SHAPES = {
    "usual": [(step, step // 10, 2 / (step + 1)) for step in range(100)],
    "one point": [(5, 0, 0.3)],
    "constant": [(step, 0, 1e-9) for step in range(5)],
    "zero": [(step, 0, 0.0) for step in range(5)],
    "huge": [(step, 0, 10.0 ** (step * 4)) for step in range(60)],
    "negative": [(step, 0, -1e20 * step) for step in range(1, 9)],
    "holes": [(0, 0, math.nan), (1, 0, 1.0), (2, 0, math.inf), (3, 0, 2.0)],
    "many": [(step, 0, math.sin(step)) for step in range(50_000)],
}


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("name", SHAPES)
def test_lines_stay_in_the_picture(name, log):
    made = charts.lines("Loss", [Series("train/loss", SHAPES[name])], log=log, best=(3, "best epoch: 1"))
    across, up = places(made)
    assert all(0 <= x <= charts.WIDTH for x in across)
    assert all(0 <= y <= charts.HEIGHT for y in up)
    assert len(made) < 60_000


def test_what_is_not_finite_is_said():
    made = charts.lines("Loss", [Series("train/loss", SHAPES["holes"])])
    assert "2 values that are not finite are left out" in made
    assert "no finite value was logged" in charts.lines("Loss", [Series("x", [(0, 0, math.nan)])])


def test_the_sentence_and_the_data_of_a_line():
    made = charts.lines("Loss", [Series('a"<b>', [(10, 0, 3.0), (20, 1, 0.5), (30, 2, 1.0)])])
    said = unescape(re.search(r'aria-label="([^"]*)"', made)[1])
    assert 'a"<b>: from 3 at step 10 to 1 at step 30, lowest 0.5 at step 20, highest 3 at step 10' in said
    (series,) = json.loads(unescape(re.search(r'data-series="([^"]*)"', made)[1]))
    assert series["name"] == 'a"<b>'
    assert [point[:3] for point in series["points"]] == [[10, 0, 3.0], [20, 1, 0.5], [30, 2, 1.0]]
    heights = [point[4] for point in series["points"]]
    assert heights[0] < heights[2] < heights[1]


def test_several_lines_are_told_apart_without_colour():
    made = charts.lines("Loss", [Series(name, SHAPES["usual"]) for name in "abcdef"])
    style = (charts.__file__ or "").replace("charts.py", "page.css")
    with open(style, encoding="utf-8") as file:
        css = file.read()
    dashes = [re.search(rf"\.s{n} {{ stroke: [^;]*;([^}}]*)}}", css)[1].strip() for n in range(charts.STYLES)]
    assert len(set(dashes)) == charts.STYLES
    assert all(f'class="line s{n}"' in made for n in range(6))


def test_thinning_keeps_ends_and_spikes():
    points = [(step, 0, 0.0) for step in range(10_000)]
    points[4321] = (4321, 0, 9.0)
    points[7000] = (7000, 0, -9.0)
    kept = charts.thin(points)
    assert len(kept) <= charts.MOST_POINTS
    assert kept == sorted(kept)
    assert {points[0], points[-1], points[4321], points[7000]} <= set(kept)
    assert charts.thin(points[:9]) == points[:9]


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3, 17), (1e-9, 2e-9), (1e20, 9e20), (-0.02, 0.03)])
def test_ticks_are_round_and_within(low, high):
    ticks = Scale(low, high, 0, 100).ticks(5)
    assert 2 <= len(ticks) <= 8
    assert all(low - 1e-9 * abs(low) <= tick <= high + 1e-9 * abs(high) for tick in ticks)
    step = ticks[1] - ticks[0]
    assert round(step / 10 ** math.floor(math.log10(step * 1.0001)), 6) in (1, 2, 5)


def test_a_scale_maps_its_ends():
    scale = Scale(1, 100, 10, 30, log=True)
    assert [scale(1), scale(10), scale(100)] == pytest.approx([10, 20, 30])
    assert scale.ticks(5) == [1, 10, 100]


def test_clouds_bars_reliability_and_strips_stay_in_the_picture():
    dots = [(float(x), float(x * 1.3 - 4), f"<{x}>") for x in range(-20, 20)]
    cloud = charts.scatter("T", dots, "a", "b", "said", diagonal=True)
    apart = charts.scatter("T", dots, "a", "b", "said", diagonal=False)
    rods = charts.bars("T", [-1.0, 0.0, 2.0], [0, 7], "a", "said")
    found = charts.reliability("T", [(0.5, 0.0, 1, Interval(0.0, 0.8)), (0.99, 1.0, 90, Interval(0.9, 1.0))], "said")
    for made in (cloud, apart, rods, found):
        across, up = places(made)
        assert all(0 <= x <= charts.WIDTH for x in across)
        assert all(0 <= y <= charts.HEIGHT for y in up)
        assert 'role="img"' in made
        assert 'aria-label="T. said"' in made
    assert "&lt;3&gt;" in cloud
    assert rods.count("<rect") == 1
    strip = charts.strip(1.0, Interval(0.98, 1.0), 0.1, None)
    assert all(0 <= x <= 160 for x in places(strip)[0])

"""Numbers as the page shows them."""

from __future__ import annotations

import math

import pytest

from assay.review import numerals

SCORES = {0.98765: "0.9877", 0.0: "0.0000", -0.5: "−0.5000", 31762.6: "31,763", 42.123: "42.12", 5e20: "5.000e+20"}
SCORES |= {9.7e-6: "9.700e−06", math.inf: "∞", -math.inf: "−∞"}


@pytest.mark.parametrize("value", SCORES)
def test_scores(value):
    assert numerals.score(value) == SCORES[value]


def test_nothing_is_a_dash():
    assert [form(None) for form in (numerals.score, numerals.signed, numerals.share)] == ["–"] * 3
    assert numerals.score(math.nan) == numerals.share(math.nan) == "–"


def test_differences_carry_their_sign():
    assert [numerals.signed(value) for value in (0.25, -0.25, 0.0)] == ["+0.2500", "−0.2500", "0.0000"]


AXIS = {
    0: "0",
    0.30000000000000004: "0.3",
    2000: "2000",
    60_000: "60k",
    -125_000: "−125k",
    1.2e6: "1.2e6",
    1e-5: "1e−5",
}


@pytest.mark.parametrize("value", AXIS)
def test_labels_of_axes(value):
    assert numerals.short(value) == AXIS[value]


def test_words():
    assert numerals.count(1, "category", "categories") == "1 category"
    assert numerals.count(1200, "example") == "1,200 examples"
    assert [numerals.duration(s) for s in (3.14, 59.96, 61, 7265)] == ["3.1 s", "60.0 s", "1 min 1 s", "2 h 1 min"]
    assert [numerals.size(n) for n in (12, 1500, 2_340_000)] == ["12 bytes", "1.5 kB", "2.3 MB"]
    assert numerals.share(0.125) == "12.5 %"

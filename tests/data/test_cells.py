from __future__ import annotations

from assay.data.cells import numbers, why_no_number


def test_what_is_a_number():
    assert numbers(["1", "-2.5e3", " 4"]) == ([1.0, -2500.0, 4.0], [])
    values, bad = numbers(["1", "?", "x", "inf", "nan", "1_000", "1e999", ""], ["?", ""])
    assert bad == [2, 3, 4, 5, 6]
    assert values[0] == 1.0
    assert all(value != value for value in values[1:])
    assert numbers(["nan", "1"], ["nan"])[1] == []


def test_why_a_cell_is_no_number():
    assert why_no_number("abc") == "is not a number"
    assert why_no_number("1,5") == "is not a number (decimals are written with a point)"
    assert why_no_number("inf") == "is not a finite number"

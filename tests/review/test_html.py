"""Markup by construction: nothing that was given becomes an element."""

from __future__ import annotations

import pytest

from assay.review.html import Html, document, tag, text

EVIL = "\"><script>alert(1)</script>&'`"


def test_text_is_escaped_and_markup_is_not():
    assert tag("p", "a < b & c") == "<p>a &lt; b &amp; c</p>"
    assert tag("p", tag("b", EVIL)).count("<") == 4
    assert tag("p", EVIL).count("<") == 2


@pytest.mark.parametrize("value", [EVIL, 'x" onload="y', "a\nb"])
def test_attributes_cannot_be_left(value):
    made = tag("img", alt=value)
    assert made.startswith('<img alt="')
    assert made.count('"') == 2
    assert "<" not in made[1:]


def test_names_of_attributes():
    assert tag("a", "x", class_="c", data_series="[]", tabindex=0, hidden=True, title=None, lang=False) == (
        '<a class="c" data-series="[]" tabindex="0" hidden>x</a>'
    )


def test_lists_nothing_and_numbers():
    assert tag("p", None, ["a", [Html("<br>"), 3]], (one for one in "xy")) == "<p>a<br>3xy</p>"


def test_control_letters_are_shown_and_cannot_break_the_file():
    assert text("a\x00b\x1b[31m\udc80") == "a\ufffdb\ufffd[31m\ufffd"
    assert text("tab\tand\nline") == "tab\tand\nline"


def test_a_document_says_its_language_and_letters():
    made = document(title=EVIL, head=[], body=[tag("main", "x")])
    assert made.startswith('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">')
    assert "<script" not in made

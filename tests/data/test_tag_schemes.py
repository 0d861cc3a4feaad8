"""Schemes of tags: converted where asked, found where not, and what is illegal is named."""

from __future__ import annotations

from itertools import product

import pytest

from assay.data.tag_schemes import as_iob2, begun_by_i, in_scheme, order
from assay.data.tagged import Tagged
from assay.errors import ConfigError


def tagged(*tags):
    rows = [row.split() for row in tags]
    return Tagged("a.txt", [["w"] * len(row) for row in rows], rows, [list(range(1, len(row) + 1)) for row in rows])


def spans(tags, begins):
    """(first, last, type) of each span, read word by word: a new one where ``begins`` says so."""
    found, previous = [], "O"
    for place, tag in enumerate(tags):
        if tag != "O":
            if begins(previous, tag):
                found.append([place, place, tag[2:]])
            found[-1][1] = place
        previous = tag
    return found


def iob1(previous, tag):  # Ramshaw and Marcus 1995
    return previous == "O" or previous[2:] != tag[2:] or tag.startswith("B-")


def iob2(previous, tag):  # CoNLL-2002
    return tag.startswith("B-")


def test_every_sequence_of_iob1_has_the_same_spans_in_iob2():
    tags = ("O", "B-x", "I-x", "B-y", "I-y")
    for sequence in product(tags, repeat=5):
        found = as_iob2(sequence)
        assert begun_by_i(found) == []
        assert spans(found, iob2) == spans(sequence, iob1)
        if not begun_by_i(sequence):
            assert found == list(sequence)


def test_iob1_is_converted_on_request_and_said():
    held, scheme, notes = in_scheme({"train": tagged("O I-x I-x B-x O I-y")}, "iob1")
    assert held["train"].tags == [["O", "B-x", "I-x", "B-x", "O", "B-y"]]
    assert scheme == "iob2"
    assert notes == ["tags were converted from IOB1 to IOB2 (2 spans began with I-)"]


@pytest.mark.parametrize(
    ("tags", "scheme", "word"),
    [
        (("O B-x I-x", "B-x B-x"), "iob2", "as IOB2"),
        (("O I-x B-x I-x", "I-y"), "iob1", "converted to IOB2"),
        (("NN VBZ", "DT NN"), "none", "no spans"),
        (("O S-x", "B-x E-x"), "none", "no spans"),
    ],
)
def test_auto_finds_the_scheme(tags, scheme, word):
    held, found, notes = in_scheme({"train": tagged(*tags)}, "auto")
    assert found == ("none" if scheme == "none" else "iob2")
    assert word in notes[0]
    assert all(begun_by_i(row) == [] for row in held["train"].tags)


@pytest.mark.parametrize(
    ("tags", "scheme", "line"),
    [
        (
            ("O B-x I-y", "I-x I-z"),
            "iob2",
            "a.txt, line 3: I-y after B-x goes on with a span that has not begun, and 2 more like it: mend it, use "
            "data.scheme=iob1 if I- may begin a span, or data.scheme=none",
        ),
        (("I-x", "B-y"), "auto", "a.txt, line 1: I-x after the beginning goes on with a span that has not begun: mend"),
        (("O NN",), "iob2", "a.txt, line 2: the tag 'NN' of 'w' is none of O, B-… and I-…"),
        (("O B-",), "iob1", "a.txt, line 2: the tag 'B-' of 'w' is none of O, B-… and I-…"),
        (("O",), "bio", "data.scheme=bio is none of auto, iob2, iob1, none"),
    ],
)
def test_what_is_illegal_is_named(tags, scheme, line):
    with pytest.raises(ConfigError) as caught:
        in_scheme({"train": tagged(*tags)}, scheme)
    assert str(caught.value).startswith(line)


def test_another_file_is_held_to_the_scheme_of_training():
    held = {"train": tagged("O B-x"), "test": tagged("O", "I-x")}
    with pytest.raises(ConfigError, match=r"a\.txt, line 1: I-x after the beginning"):
        in_scheme(held, "auto")
    assert in_scheme(held, "none") == (held, "none", [])


def test_tags_are_listed_by_type():
    assert order(["I-b", "B-b", "O", "B-a", "O"]) == ("O", "B-a", "B-b", "I-b")
    assert order(["VBZ", "DT", "NN"]) == ("DT", "NN", "VBZ")

"""A sentence a line, in one file or in several that go together."""

from __future__ import annotations

import pytest

from assay.data.tagged_lines import read_lines, read_parallel
from assay.errors import ConfigError

NAMES = ("seq.in", "seq.out", "label")


def test_files_that_go_together():
    found = read_parallel("from rome\nhello\n", "O B-city\nO\n", "flight\ngreeting#other\n", NAMES)
    assert found.words == [["from", "rome"], ["hello"]]
    assert found.tags == [["O", "B-city"], ["O"]]
    assert found.intents == ["flight", "greeting#other"]
    assert found.at(1) == "seq.out, line 2"
    assert read_parallel("a\n\nb", "O\n\nO", None, NAMES).lines == [[1], [3]]


@pytest.mark.parametrize(
    ("texts", "line"),
    [
        (("a b c d e\n", "O O O O\n", None), "seq.out, line 1: 5 words and 4 tags"),
        (("x\na\n", "O\nO O\n", None), "seq.out, line 2: 1 word and 2 tags"),
        (("a\nb\n", "O\n", None), "seq.in has 2 lines and seq.out 1: they go together line by line"),
        (("a\nb\n", "O\nO\n", "x\n"), "seq.in has 2 lines and label 1: they go together line by line"),
        (("a\nb\n", "O\nO\n", "x\n \n"), "label, line 2: no intent for 'b'"),
        (("\n", "\n", None), "seq.out holds no sentence"),
    ],
)
def test_refusals_of_files_that_go_together(texts, line):
    with pytest.raises(ConfigError) as caught:
        read_parallel(*texts, NAMES)
    assert str(caught.value) == line


def test_words_and_tags_in_one_line():
    found = read_lines("a b\tO B-x\n\nc\tO\n", "f")
    assert (found.words, found.tags, found.lines) == ([["a", "b"], ["c"]], [["O", "B-x"], ["O"]], [[1, 1], [3]])
    assert found.intents is None
    assert found.notes == ("f: a sentence a line, words and tags",)


def test_the_intent_stands_last():
    for text in ("a b\tO B-x flight\nc\tO ask\n", "a b\tO B-x\tflight\nc\tO\task\n"):
        found = read_lines(text, "f")
        assert found.tags == [["O", "B-x"], ["O"]]
        assert found.intents == ["flight", "ask"]


def test_atis_frames_are_no_words():
    found = read_lines("BOS to rome EOS\t O O B-city atis_flight\nBOS hi EOS\tO O atis_x\n", "f")
    assert found.words == [["to", "rome"], ["hi"]]
    assert found.tags == [["O", "B-city"], ["O"]]
    assert found.intents == ["atis_flight", "atis_x"]
    assert found.notes == ("f: a sentence a line, words and tags, and its intent; BOS and EOS are left out",)
    plain = read_lines("BOS hi EOS\tO O O\n", "f")
    assert (plain.words, plain.intents) == ([["hi"]], None)
    partly = read_lines("BOS hi EOS\tO O O\nyes\tO\n", "f")  # a word like any other, where not all have it
    assert partly.words[0] == ["BOS", "hi", "EOS"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\tO\n" * 16 + "a b c d e\tO O O O\n", "f, line 17: 5 words and 4 tags"),
        ("a O\n", "f, line 1: 1 cells; words, a tab and their tags are expected"),
        ("a\tO x\nb\tO\n", "f, line 2: no intent, where other lines have one"),
        ("\n", "f holds no sentence"),
    ],
)
def test_refusals_of_one_file(text, line):
    with pytest.raises(ConfigError) as caught:
        read_lines(text, "f")
    assert str(caught.value) == line

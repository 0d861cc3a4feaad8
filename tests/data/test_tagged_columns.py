"""Files of columns: what each of their parts is, and every refusal by its line."""

from __future__ import annotations

import pytest

from assay.data.tagged_columns import read_columns, read_unlabelled
from assay.errors import ConfigError

CHUNKS = """Rockwell NNP B-NP
said VBD B-VP
# # I-NP
1.8 CD I-NP

Chancellor NNP O

"""


def test_words_tags_and_features_with_their_lines():
    found, layout = read_columns(CHUNKS, "a.txt", features=["pos:2"])
    assert found.words == [["Rockwell", "said", "#", "1.8"], ["Chancellor"]]
    assert found.tags == [["B-NP", "B-VP", "I-NP", "I-NP"], ["O"]]
    assert found.features == {"pos": [["NNP", "VBD", "#", "CD"], ["NNP"]]}
    assert found.lines == [[1, 2, 3, 4], [6]]
    assert found.at(1) == "a.txt, line 6"
    assert found.notes == ("a.txt: space-separated, words in column 1, tags in column 3, pos in column 2",)
    assert layout.columns() == {"words": 1, "pos": 2}


def test_what_is_not_read_is_said():
    found, _ = read_columns(CHUNKS, "a.txt")
    assert found.features == {}
    assert found.notes[1] == "a.txt: column 2 is not read; data.features=[2] makes a feature of it"
    wide, _ = read_columns("a b c O\n", "a.txt")
    assert wide.notes[1] == "a.txt: columns 2, 3 are not read; data.features=[2,3] makes features of them"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("gap", [" ", "\t", "  \t "])
def test_any_separator_and_line_end(gap, end):
    text = CHUNKS.replace(" ", gap).replace("\n", end)
    found, _ = read_columns(text, "a.txt", features=[2])
    expected, _ = read_columns(CHUNKS, "a.txt", features=[2])
    assert (found.words, found.tags, found.features, found.lines) == (
        expected.words,
        expected.tags,
        expected.features,
        expected.lines,
    )
    assert list(found.features) == ["column2"]


def test_words_with_spaces_stand_between_tabs():
    found, layout = read_columns("New York\tB-LOC\nis\tO\n\nbig\tO\n", "a.tsv")
    assert found.words == [["New York", "is"], ["big"]]
    assert layout.delimiter == "\t"
    with pytest.raises(ConfigError, match=r"a\.tsv, line 1: 3 columns, and other lines have 2"):
        read_columns("New York\tB-LOC\nis\tO\n\nbig\tO\n", "a.tsv", delimiter="space")


def test_comments_and_documents_are_left_out_and_counted():
    text = "-DOCSTART- O\n\n# sent_id = 1\na O\n\n# text b c\n-DOCSTART- -X- O O\n\nb O\n# O\n"
    found, _ = read_columns(text, "a.txt")
    assert found.words == [["a"], ["b", "#"]]
    assert found.lines == [[4], [9, 10]]
    assert found.notes[1:] == ("a.txt: 2 lines of documents left out", "a.txt: 2 lines of comments left out")


def test_the_first_line_names_the_columns_that_are_asked_for_by_name():
    text = "token pos ner\nRome NNP B-LOC\n\nis VBZ O\n"
    found, layout = read_columns(text, "a.txt", "token", "ner", ["pos"])
    assert found.words == [["Rome"], ["is"]]
    assert found.features == {"pos": [["NNP"], ["VBZ"]]}
    assert found.lines == [[2], [4]]
    assert layout.columns() == {"words": "token", "pos": "pos"}
    mixed, _ = read_columns(text, "a.txt", "token", 3, ["part:pos"])
    assert mixed.features == {"part": [["NNP"], ["VBZ"]]}
    assert mixed.tags == found.tags


def test_numbers_may_come_as_text_and_from_the_end():
    found, _ = read_columns(CHUNKS, "a.txt", "1", "-1", ["pos:-2"])
    again, _ = read_columns(CHUNKS, "a.txt", 1, 3, ["2"])
    assert (found.words, found.tags) == (again.words, again.tags)
    assert found.features["pos"] == again.features["column2"]


@pytest.mark.parametrize(
    ("text", "keys", "line"),
    [
        ("a O\nb\n", {}, "a.txt, line 2: 1 column, and other lines have 2"),
        ("a O\nb O\nc O O\n", {}, "a.txt, line 3: 3 columns, and other lines have 2"),
        ("a\tO\n\tO\n", {}, "a.txt, line 2: the word in column 1 is empty"),
        ("a\tx\tO\nb\t\tO\n", {"features": ["pos:2"]}, "a.txt, line 2: the pos in column 2 is empty"),
        ("a O\n", {"tags": 3}, "data.tags=3: a.txt has 2 columns, counted from 1"),
        ("a O\n", {"words": 0}, "data.words=0: a.txt has 2 columns, counted from 1"),
        ("a\nb\n", {}, "a.txt: data.words and data.tags are both column 1; name two columns"),
        (
            "words t\na O\n",
            {"words": "word"},
            "a.txt, line 1: no column 'word'; did you mean data.words=words? (columns: words, t)",
        ),
        ("a O\n", {"features": ["source:1"]}, "data.features: 'source' cannot name a feature"),
        ("a x O\n", {"features": ["my pos:2"]}, "data.features: 'my pos' cannot name a feature"),
        (
            "a x O\n",
            {"features": ["pos:2", "xpos:2"]},
            "data.features (pos) and data.features (xpos) are both column 2",
        ),
        ("a x O\n", {"features": [2, "column2:2"]}, "data.features names column2 twice"),
        ("a O\n", {"delimiter": ","}, "data.delimiter=, is none of tab, space and null"),
        (" \n\n", {}, "a.txt is empty"),
        ("-DOCSTART- O\n\n", {}, "a.txt holds no sentence"),
    ],
)
def test_refusals(text, keys, line):
    with pytest.raises(ConfigError) as caught:
        read_columns(text, "a.txt", **keys)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_to_predict_may_lack_tags_and_features():
    columns = {"pos": 2}
    bare = read_unlabelled("Rome\nis\n\nbig\n", "b.txt", 1, columns)
    assert bare.words == [["Rome", "is"], ["big"]]
    assert bare.features == {}
    full = read_unlabelled(CHUNKS, "b.txt", 1, columns)
    assert full.features["pos"][1] == ["NNP"]
    assert full.tags[0] == ["", "", "", ""]
    named = read_unlabelled("pos token\nNNP Rome\n", "b.txt", "token", {"pos": "pos"})
    assert named.words == [["Rome"]]
    assert named.features == {"pos": [["NNP"]]}
    with pytest.raises(ConfigError, match=r"b\.txt, line 1: no column 'token'"):
        read_unlabelled("Rome\n", "b.txt", "token", {})

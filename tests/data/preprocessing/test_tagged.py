"""Sentences -> ids, fitted on training and read alike from texts, words and files."""

from __future__ import annotations

import io
import json

import pytest
import torch

from assay.contracts import Field
from assay.data.preprocessing import from_json
from assay.data.preprocessing.tagged import MOST_LETTERS, TaggedPreprocessing
from assay.data.tagged import Sentence
from assay.errors import ConfigError

TRAINING = [
    Sentence(["Show", "me", "flights", "at", "838"], {"pos": ["V", "P", "N", "I", "C"]}),
    Sentence(["show", "flights"], {"pos": ["V", "N"]}),
]


def fitted(**keys):
    return TaggedPreprocessing(**{"features": ["pos"], "columns": {"words": 1, "pos": 2}, **keys}).fit(TRAINING)


def rows(column, count):
    found = column.gather(torch.arange(count))
    return found.tolist()


def test_ids_of_words_characters_and_features():
    made = fitted()
    assert made.vocabulary_ == ["<pad>", "<unk>", "flights", "838", "Show", "at", "me", "show"]
    assert made.values_ == {"pos": ["<pad>", "<unk>", "N", "V", "C", "I", "P"]}
    columns = made([Sentence(["show", "boats", "at"], {"pos": ["V", "N", "X"]}), Sentence(["me"], {"pos": ["P"]})])
    assert list(columns) == ["source", "characters", "pos"]
    assert rows(columns["source"], 2) == [[7, 1, 5], [6, 0, 0]]
    assert rows(columns["pos"], 2) == [[3, 2, 1], [6, 0, 0]]
    letter = {name: number for number, name in enumerate(made.letters_)}
    spelled = [[letter.get(one, 1) for one in word] for word in ("show", "boats", "at")]
    found = rows(columns["characters"], 2)
    assert found[0] == [word + [0] * (5 - len(word)) for word in spelled]
    assert spelled[1][0] == 1  # training has no b
    assert made.notes == ["1 value of pos that training did not hold is unknown: X"]


def test_fields_say_what_the_columns_hold():
    made = fitted()
    fields = made.fields()
    assert fields["source"] == Field("ids", (None,), size=8, padding_id=0, names=tuple(made.vocabulary_))
    assert fields["characters"].kind == "characters"
    assert fields["characters"].shape == (None, None)
    assert (fields["pos"].kind, fields["pos"].size) == ("feature", 7)
    assert all(field.size == len(field.names) and field.padding_id == 0 for field in fields.values())


@pytest.mark.parametrize(
    ("keys", "forms"),
    [
        ({}, ["Ab1", "838", "½x"]),
        ({"lowercase": True}, ["ab1", "838", "½x"]),
        ({"digits": "zero"}, ["Ab0", "000", "½x"]),
        ({"digits": "mark", "lowercase": True}, ["abDIGIT", "DIGITDIGITDIGIT", "½x"]),
    ],
)
def test_words_are_looked_up_by_their_form(keys, forms):
    made = TaggedPreprocessing(**keys)
    assert [made.form(word) for word in ("Ab1", "838", "½x")] == forms


def test_forms_share_an_id_and_keep_their_characters():
    made = fitted(lowercase=True, digits="zero")
    columns = made([Sentence(["Show", "show", "755", "838"])])
    ids = rows(columns["source"], 1)[0]
    assert ids[0] == ids[1]
    assert ids[2] == ids[3]
    letters = rows(columns["characters"], 1)[0]
    assert letters[0] != letters[1]
    assert letters[2] != letters[3]


def test_a_word_needs_its_occurrences():
    assert fitted(min_count=2).vocabulary_ == ["<pad>", "<unk>", "flights"]


def test_words_spelled_like_special_tokens_are_words():
    made = TaggedPreprocessing().fit([Sentence(["<unk>", "<pad>", "a"])])
    ids = rows(made([["<pad>", "<unk>", "b"]])["source"], 1)[0]
    assert ids[2] == 1
    assert min(ids[:2]) >= 2
    assert ids[0] != ids[1]


def test_long_words_are_read_at_both_ends_and_said():
    word = "a" * 30 + "b" * 30
    made = TaggedPreprocessing().fit([Sentence([word])])
    found = made([[word, "a"]])["characters"].gather(torch.tensor([0]))
    assert found.shape == (1, 2, MOST_LETTERS)
    assert made.show(torch.tensor([2])) == word
    half = MOST_LETTERS // 2
    assert made.notes == [f"1 word is longer than {MOST_LETTERS} letters: {half} at either end are read"]


def test_raw_inputs_are_texts_words_mappings_and_sentences():
    made = fitted()
    expected = rows(made([TRAINING[1]])["source"], 1)
    for raw in ("show flights", " show  flights\n", ["show", "flights"], ("show", "flights")):
        assert made.words(raw) == ["show", "flights"]
        assert rows(made([raw])["source"], 1) == expected
    mapped = {"words": ["show", "flights"], "pos": ["V", "N"]}
    made.notes.clear()
    assert rows(made([mapped])["pos"], 1) == rows(made([TRAINING[1]])["pos"], 1)
    assert made.notes == []


def test_features_that_are_absent_are_unknown_and_said():
    made = fitted()
    columns = made(["show flights", Sentence(["me"], {"pos": ["P"]})])
    assert rows(columns["pos"], 2) == [[1, 1], [6, 0]]
    assert made.notes == ["pos of 1 of 2 sentences is not known: its words are read without it"]
    made.notes.clear()
    made(["show flights"])
    assert made.notes == ["pos is not known: its words are read without it"]


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        ("  ", "an empty sentence was given"),
        ([], "an empty sentence was given"),
        (3, "int is no sentence: give a text, a list of words, or words and features"),
        ({"pos": ["N"]}, "dict is no sentence"),
        ({"words": ["a", "b"], "pos": ["N"]}, "2 words and 1 values of pos: one for each is needed"),
    ],
)
def test_refusals_of_raw_inputs(raw, line):
    with pytest.raises(ConfigError, match=line):
        fitted()([raw])


def test_files_of_columns_lines_and_texts(tmp_path, monkeypatch):
    made = fitted()
    columns = tmp_path / "my file, a=b.conll"
    columns.write_text("Show V O\nme P O\n\n# text = flights\nflights N B-x\n")
    ids, found = made.read([str(columns)])
    assert ids == [f"{columns}:1", f"{columns}:5"]
    assert found == [
        Sentence(["Show", "me"], {"pos": ["V", "P"]}),
        Sentence(["flights"], {"pos": ["N"]}),
    ]
    bare = tmp_path / "bare.txt"  # by its form: blocks of lines of one word
    bare.write_text("Show\nme\n\nflights\n")
    assert made.read([str(bare)])[1] == [Sentence(["Show", "me"]), Sentence(["flights"])]
    lines = tmp_path / "lines.txt"
    lines.write_text("show me\n\nflights at 838\r\n")
    ids, found = made.read([str(lines), "me at"])
    assert ids == [f"{lines}:1", f"{lines}:3", "3"]
    assert [one.words for one in found] == [["show", "me"], ["flights", "at", "838"], ["me", "at"]]
    framed = tmp_path / "framed.iob"
    framed.write_text("BOS show me EOS\tO O O flight\n")
    assert made.read([str(framed)])[1] == [Sentence(["show", "me"])]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"show me\n")))
    assert made.read(["-"]) == (["-:1"], [Sentence(["show", "me"])])


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("a.txt", "\n \n", "a.txt holds only blank lines"),
        ("a.conll", "a O\nb O O\nc O\n", "a.conll, line 2: 3 columns, and other lines have 2"),
        ("absent.conll", None, "absent.conll is not there"),
        ("", None, "an empty text was given"),
    ],
)
def test_refusals_of_files(tmp_path, monkeypatch, name, text, line):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=line):
        fitted().read([name])


def test_all_is_in_its_json():
    made = fitted(lowercase=True, digits="mark", min_count=1)
    again = from_json(json.loads(json.dumps(made.to_json())))
    assert again.to_json() == made.to_json()
    raws = ["Show boats at 838", TRAINING[0]]
    for name, column in made(raws).items():
        assert torch.equal(again(raws)[name].gather(torch.arange(2)), column.gather(torch.arange(2)))
    assert again.words("Show") == ["Show"]
    ids = made(raws)["source"].gather(torch.arange(1))[0]
    assert again.show(ids) == made.show(ids) == "show <unk> at DIGITDIGITDIGIT"


def test_other_digits_are_refused():
    with pytest.raises(ConfigError, match=r"data\.digits=drop is none of keep, zero, mark"):
        TaggedPreprocessing(digits="drop")

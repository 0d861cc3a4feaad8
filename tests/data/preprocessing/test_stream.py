"""Running text as ids, and ids as text."""

from __future__ import annotations

import json

import pytest
import torch

from assay.data.preprocessing import from_json
from assay.data.preprocessing.stream import END, StreamPreprocessing
from assay.data.tokenizers.bpe import BPE
from assay.data.tokenizers.char import Char
from assay.data.tokenizers.whitespace import Whitespace
from assay.data.tokenizers.word import Word
from assay.errors import ConfigError

TEXT = "Once more unto\n\n the breach, dear\nfriends"


def made(tokenizer, text=TEXT) -> StreamPreprocessing:
    return StreamPreprocessing(tokenizer).fit([text])


def names(preprocessing, ids) -> list[str]:
    return [preprocessing.vocabulary[number] for number in ids]


def test_of_words_each_line_break_is_an_end_mark():
    ours = made(Whitespace())
    assert ours.vocabulary[-1] == END
    assert ours.start_id == len(ours.vocabulary) - 1
    expected = ["Once", "more", "unto", END, END, "the", "breach,", "dear", END, "friends"]
    assert names(ours, ours.encode(TEXT)) == expected
    assert ours.encode("") == []
    assert names(ours, ours.encode("\n")) == [END]
    assert names(ours, ours.prompt("the breach")) == [END, "the", "<unk>"]
    assert ours.decode(ours.encode(TEXT)) == "Once more unto\n\nthe breach, dear\nfriends"


def test_of_characters_the_text_comes_back_as_it_was():
    ours = made(Char())
    assert ours.vocabulary == ours.tokenizer.vocabulary_
    assert ours.vocabulary[ours.start_id] == "\n"
    assert ours.decode(ours.encode(TEXT)) == TEXT
    assert ours.encode("") == []
    assert ours.prompt("On") == [ours.start_id, *ours.encode("On")]
    assert made(Char(), "one line").start_id == 1  # a break that training never saw


@pytest.mark.parametrize("tokenizer", [Word(), BPE(vocab_size=60, min_count=1)])
def test_of_other_tokens_lines_come_back(tokenizer):
    pytest.importorskip("tokenizers", reason="the extra text is not installed")
    ours = made(tokenizer)
    assert ours.decode(ours.encode(TEXT)) == "once more unto\n\nthe breach , dear\nfriends"
    assert ours.encode("\n\n") == [ours.start_id] * 2


def test_a_text_that_writes_the_mark_means_the_mark():
    ours = made(Whitespace(), "a b <eos> c")
    assert ours.vocabulary.count(END) == 1
    assert ours.encode("a <eos>") == ours.encode("a\n")


def test_where_a_text_is_cut_into_pieces_changes_no_id():
    ours = made(Whitespace())
    cut = TEXT.index("breach")
    assert ours.encode(TEXT[:cut]) + ours.encode(TEXT[cut:]) == ours.encode(TEXT)


def test_fields():
    ours = made(Whitespace())
    source, label = ours.field(), ours.target()
    assert (source.kind, source.size, source.padding_id) == ("ids", len(source.names), 0)
    assert (label.kind, label.size, label.padding_id, label.names) == ("tokens", source.size, -1, source.names)


def test_a_text_to_be_scored_is_read_as_a_line_of_the_training_text():
    ours = made(Whitespace())
    columns = ours(["Once more", "friends\n"])
    rows = torch.arange(2)
    source, label = columns["source"].gather(rows), columns["label"].gather(rows)
    assert [names(ours, row) for row in source.tolist()] == [[END, "Once", "more"], [END, "friends", "<pad>"]]
    assert names(ours, label[0].tolist()) == ["Once", "more", END]
    assert label[1].tolist() == [*ours.encode("friends\n"), -1]


def test_what_is_shown():
    ours = made(Whitespace())
    ids = torch.tensor([*ours.prompt("Once more\nthe"), 0, 0])
    assert ours.show(ids) == f"{END} Once more {END} the"
    characters = made(Char())
    assert characters.show(torch.tensor(characters.encode("e\nu"))) == "e\nu"


def test_texts_to_predict_are_lines(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("one line\n\nanother\n")
    ours = made(Whitespace())
    assert ours.read([str(path), "a text"]) == ([f"{path}:1", f"{path}:3", "3"], ["one line", "another", "a text"])
    with pytest.raises(ConfigError, match="not trained on a table"):
        ours.read(["rows.csv"])


@pytest.mark.parametrize("tokenizer", [Char(), Whitespace(lowercase=True)])
def test_round_trip_is_plain_json(tokenizer):
    ours = made(tokenizer)
    again = from_json(json.loads(json.dumps(ours.to_json())))
    assert isinstance(again, StreamPreprocessing)
    assert again.to_json() == ours.to_json()
    assert (again.encode(TEXT), again.start_id) == (ours.encode(TEXT), ours.start_id)
    assert again.digest() == ours.digest() != made(tokenizer, "other words").digest()

"""What stands between spaces, as it stands; and that every tokenizer's ids are text again."""

from __future__ import annotations

import json

import pytest

from assay.data.tokenizers import from_json
from assay.data.tokenizers.bpe import BPE
from assay.data.tokenizers.char import Char
from assay.data.tokenizers.whitespace import Whitespace
from assay.data.tokenizers.word import Word
from assay.errors import ConfigError

TEXTS = ["The the $ N-word it 's <unk> .", "the <pad> N\t<unk>\n  the"]


def test_tokens_are_what_stands_between_white_space():
    made = Whitespace().fit(TEXTS)
    assert made.vocabulary_ == ["<pad>", "<unk>", "the", "$", "'s", ".", "N", "N-word", "The", "it"]
    assert made.encode(" the  N-word's\nN") == [2, 1, 6]
    assert made.encode("<unk> <pad> never") == [1, 1, 1]
    assert made.encode("  ") == [1]
    assert made.show([2, 7, 1]) == "the N-word <unk>"


def test_counts_and_case():
    assert Whitespace(min_count=2).fit(TEXTS).vocabulary_ == ["<pad>", "<unk>", "the"]
    assert Whitespace(lowercase=True, max_size=3).fit(TEXTS).vocabulary_ == ["<pad>", "<unk>", "the"]
    assert len(Whitespace(max_size=None).fit([" ".join(map(str, range(30_000)))]).vocabulary_) == 30_002
    with pytest.raises(ConfigError, match=r"tokenizer\.max_size=0 are counts from 1"):
        Whitespace(max_size=0)


def test_round_trip_is_plain_json():
    made = Whitespace(min_count=1, max_size=7, lowercase=True).fit(TEXTS)
    again = from_json(json.loads(json.dumps(made.to_json())))
    assert again.to_json() == made.to_json()
    assert again.encode("THE n it") == made.encode("THE n it")


@pytest.mark.parametrize(
    ("tokenizer", "given", "back"),
    [
        (Char(), "Two  lines,\nof text", "Two  lines,\nof text"),
        (Whitespace(), "Two  lines, of\ttext", "Two lines, of text"),
        (Word(), "Two  lines,\nof text", "two lines , of text"),
        (BPE(vocab_size=40), "Two  lines,\nof text", "two lines , of text"),
    ],
)
def test_ids_are_text_again(tokenizer, given, back):
    if isinstance(tokenizer, BPE):
        pytest.importorskip("tokenizers", reason="the extra text is not installed")
    made = tokenizer.fit([given])
    assert made.decode(made.encode(given)) == back
    assert made.keeps_lines == isinstance(made, Char)


def test_an_unfinished_word_of_pieces_stays_open():
    pytest.importorskip("tokenizers", reason="the extra text is not installed")
    made = BPE(vocab_size=20, min_count=9).fit(["low lower"])
    ids = made.encode("low low")
    assert made.decode(ids[:-1]) == "low low"
    assert made.decode(ids[:-2]) == "low lo"

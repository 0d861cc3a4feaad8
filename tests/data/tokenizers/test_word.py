from __future__ import annotations

import pytest

from assay.data.tokenizers import from_json
from assay.data.tokenizers.word import Word
from assay.errors import ConfigError


def test_the_vocabulary_is_by_count_then_alphabet():
    word = Word().fit(["b a c a", "C b a d"])
    assert word.vocabulary_ == ["<pad>", "<unk>", "a", "b", "c", "d"]
    assert word.encode("D a zebra B") == [5, 2, 1, 3]


def test_rare_words_and_a_full_vocabulary():
    texts = ["a a a b b c"]
    assert Word(min_count=2).fit(texts).vocabulary_[2:] == ["a", "b"]
    assert Word(max_size=3).fit(texts).vocabulary_[2:] == ["a"]
    assert Word(max_size=1).fit(texts).vocabulary_ == ["<pad>", "<unk>"]
    assert Word(lowercase=False).fit(["A a"]).vocabulary_[2:] == ["A", "a"]


def test_words_keep_their_apostrophes_and_marks_stand_alone():
    assert Word().tokens("Don't stop — it’s 3.5€!") == ["don't", "stop", "—", "it’s", "3", ".", "5", "€", "!"]


def test_a_special_token_in_a_text_is_not_special():
    word = Word().fit(["<pad> x"])
    assert word.encode("<pad>") == [word.encode(mark)[0] for mark in ("<", "pad", ">")]


def test_round_trip():
    word = Word(min_count=2, max_size=9, lowercase=False).fit(["A a b", "A b"])
    again = from_json(word.to_json())
    assert again.to_json() == word.to_json()
    assert again.encode("A b c") == word.encode("A b c")


def test_counts_below_one_are_refused():
    with pytest.raises(ConfigError, match=r"tokenizer\.min_count=0"):
        Word(min_count=0)

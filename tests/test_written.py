"""Tokens as text, piece by piece: the joins of every tokenizer, and the end."""

from __future__ import annotations

import pytest

from assay.data.preprocessing.stream import StreamPreprocessing
from assay.data.tokenizers.char import Char
from assay.data.tokenizers.whitespace import Whitespace
from assay.data.tokenizers.word import Word
from assay.written import Written

TEXT = "the cat sat on the mat\nthe dog did not\n"


def tokenizers():
    pytest.importorskip("tokenizers")
    from assay.data.tokenizers.bpe import BPE

    return [Char(), Word(), Whitespace(), BPE(vocab_size=24, min_count=1)]


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize(
    ("prompt", "after"),
    [
        ("", "the cat sat"),
        ("the cat", " sat on\nthe"),
        ("the cat sat\n", "the mat did not\n"),
        ("not\nthe", " dog\nsat"),
    ],
)
def test_the_pieces_are_the_text(number, prompt, after):
    preprocessing = StreamPreprocessing(tokenizers()[number]).fit([TEXT])
    before = preprocessing.prompt(prompt)
    ids = preprocessing.encode(prompt + after)[len(before) - 1 :]
    written = Written(preprocessing.decode, before[-1])
    pieces = [written.add(token) for token in ids]
    assert len([piece for piece in pieces if piece]) > 1
    assert "".join(pieces) == written.text == after
    assert written.close() == ""
    assert written.tokens == len(ids)


def characters(text, stop):
    written = Written(lambda ids: "".join(map(chr, ids)), ord(" "), stop)
    return written, [written.add(ord(character)) for character in text]


def test_it_ends_before_the_stop_which_is_never_shown():
    written, pieces = characters("one\ntwo\n\nthree", "\n\n")
    assert pieces == ["o", "n", "e", "", "\nt", "w", "o", "", "", "", "", "", "", ""]
    assert written.done
    assert written.text == "one\ntwo"
    assert written.tokens == 9
    assert written.close() == ""


def test_what_only_looked_like_the_stop_is_shown_in_the_end():
    written, pieces = characters("abab", "abc")
    assert "".join(pieces) == "ab"
    assert not written.done
    assert written.close() == "ab"


def test_a_stop_within_one_token():
    written = Written(lambda ids: "".join("<.>" if i else "|" for i in ids), 0, ".")
    assert written.add(1) == "<"
    assert written.done


def test_no_second_space_after_a_prompt_that_ends_in_one():
    preprocessing = StreamPreprocessing(Word()).fit([TEXT])
    before = preprocessing.prompt("the ")
    texts = [Written(preprocessing.decode, before[-1], spaced=spaced) for spaced in (True, False)]
    ids = preprocessing.encode("cat sat")
    assert ["".join(map(text.add, ids)) for text in texts] == ["cat sat", " cat sat"]

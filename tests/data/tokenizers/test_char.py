from __future__ import annotations

from assay.data.tokenizers import from_json
from assay.data.tokenizers.char import Char


def test_characters_by_count_then_alphabet_and_unknown_ones():
    char = Char().fit(["hello", "lad"])
    assert char.vocabulary_ == ["<pad>", "<unk>", "l", "a", "d", "e", "h", "o"]
    assert char.encode("hazel") == [6, 3, 1, 5, 2]
    assert char.encode("") == [1]


def test_round_trip():
    char = Char().fit(["ünïcode \n"])
    assert from_json(char.to_json()).encode("ün\nx") == char.encode("ün\nx")

from __future__ import annotations

import pytest

from assay.data.char_contains import CharContains
from assay.data.strings import check_contains, check_position
from assay.data.tokenizers.char import Char
from assay.errors import ConfigError

CONTAINS = {"alphabet": "abcdef", "character": "a", "min_length": 3, "max_length": 9, "examples": 100}
POSITION = {"alphabet": "abcdef", "character": "a", "length": 5, "examples": 120}


def test_good_settings_pass():
    assert check_contains(CONTAINS) == set()
    assert check_position(POSITION) == set()


@pytest.mark.parametrize(
    ("check", "config", "message"),
    [
        (check_contains, {"character": "z"}, "data.character=z is not in data.alphabet=abcdef"),
        (check_contains, {"character": "ab"}, "data.character='ab' has 2 letters"),
        (check_contains, {"alphabet": "aab"}, "holds 'a' more than once"),
        (check_contains, {"alphabet": "a"}, "needs a letter besides"),
        (check_contains, {"min_length": 10}, "data.min_length=10 to data.max_length=9 is no range"),
        (check_contains, {"alphabet": "ab"}, "give 7 different strings of the rarest class: use at most 6"),
        (check_position, {"length": 0}, "data.length=0 is not a length from 1"),
        (check_position, {"length": 2}, "give 5 different strings of the rarest class: use at most 6"),
        (check_position, {"examples": 20}, "data.examples=20 is too few for 6 classes; 30 are the least"),
    ],
)
def test_settings_that_cannot_be_served(check, config, message):
    given = {**(CONTAINS if check is check_contains else POSITION), **config}
    with pytest.raises(ConfigError) as refusal:
        check(given)
    assert message in str(refusal.value)


def test_the_data_set_refuses_what_the_check_refuses():
    with pytest.raises(ConfigError, match="is not in"):
        CharContains(Char(), character="!")


def test_any_alphabet_serves():
    dataset = CharContains(Char(), alphabet="αβγ δ", character=" ", min_length=6, max_length=8, examples=400)
    dataset.setup()
    assert sum(map(len, dataset.splits.values())) == 400

"""The column of characters, against lists of lists."""

from __future__ import annotations

import torch

from assay.data.spelled import Spelled

SENTENCES = [["ab", "a", "abc"], ["c"], [], ["abc", "ab"]]
SPELL = {"ab": [2, 3], "a": [2], "abc": [2, 3, 4], "c": [4]}


def padded(rows):
    words = max(1, *(len(row) for row in rows))
    letters = max(1, *(len(SPELL[word]) for row in rows for word in row), 1)
    blank = [0] * letters
    table = [[SPELL[word] + [0] * (letters - len(SPELL[word])) for word in row] for row in rows]
    return [row + [blank] * (words - len(row)) for row in table]


def test_rows_are_the_words_of_the_sentences():
    column = Spelled.join(SENTENCES, SPELL)
    assert len(column) == 4
    for positions in ([0, 1, 2, 3], [3], [1, 3], [1], [2], [2, 1], [0, 0]):
        found = column.gather(torch.tensor(positions))
        assert found.dtype == torch.int64
        assert found.tolist() == padded([SENTENCES[place] for place in positions])


def test_each_spelling_is_kept_once():
    column = Spelled.join([["ab"] * 50] * 20, {"ab": [2, 3]})
    assert column.spellings.tolist() == [[0, 0], [2, 3]]


def test_nothing_at_all():
    column = Spelled.join([[]], {})
    assert column.gather(torch.tensor([0])).tolist() == [[[0]]]
    assert column.gather(torch.tensor([], dtype=torch.int64)).shape[0] == 0

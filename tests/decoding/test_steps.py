"""Text one token at a time, and a decoder's state by rows."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch

from assay.decoding.greedy import greedy
from assay.decoding.reorder import reorder
from assay.decoding.steps import decode, without
from tests.decoding.tabled import Tabled


def test_each_token_is_chosen_by_what_was_written():
    decoder = Tabled(3, 4, 5)
    steps = torch.stack(list(decode(decoder, *decoder.start(), greedy, 5)), 1)
    for row in range(3):
        text = []
        for token in steps[row].tolist():
            assert token == int(decoder.log_probs(row)(text).argmax())
            text.append(token)


def test_a_row_that_has_ended_gives_its_end_and_all_ended_stop():
    decoder = Tabled(4, 3, 8, seed=2)
    free = torch.stack(list(decode(decoder, *decoder.start(), greedy, 8)), 1).tolist()
    steps = torch.stack(list(decode(decoder, *decoder.start(), greedy, 8, end=1)), 1).tolist()
    ends = [row.index(1) + 1 if 1 in row else 8 for row in free]
    assert len(set(ends)) > 1  # rows end at different places
    for row, end in enumerate(ends):
        assert steps[row][:end] == free[row][:end]
        assert set(steps[row][end:]) <= {1}
    assert len(steps[0]) == max(ends)


def test_nothing_is_computed_that_is_not_asked_for():
    decoder = Tabled(1, 3, 5)
    found = decode(decoder, *decoder.start(), greedy, 5)
    next(found)
    assert decoder.steps == 0
    assert len(list(found)) == 4
    assert decoder.steps == 4


def test_forbidden_tokens():
    decoder = Tabled(3, 4, 5)
    steps = torch.stack(list(decode(decoder, *decoder.start(), greedy, 5, forbidden=(0, 3))))
    assert set(steps.flatten().tolist()) == {1, 2}
    assert without(torch.zeros(2, 3), (1,)).tolist() == [[0, -torch.inf, 0]] * 2


class Pair(NamedTuple):
    left: torch.Tensor
    right: object


def test_reorder():
    index = torch.tensor([2, 0, 0])
    rows = torch.arange(6).view(3, 2)
    state = Pair(rows, (None, [rows[:, 0], {"deep": rows[:, :, None]}]))
    turned = reorder(state, index)
    assert isinstance(turned, Pair)
    assert torch.equal(turned.left, rows[index])
    none, (first, deep) = turned.right
    assert none is None
    assert torch.equal(first, rows[index, 0])
    assert torch.equal(deep["deep"], rows[index][:, :, None])
    with pytest.raises(TypeError, match="a decoder's state holds a int, which has no rows"):
        reorder((rows, 3), index)

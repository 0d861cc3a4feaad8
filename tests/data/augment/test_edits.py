"""Each edit against a loop over lists, with the same numbers."""

from __future__ import annotations

import pytest
import torch

from assay.data.augment import edits
from tests.data.augment.pictures import batch_of_texts, tokens
from tests.references import text_edits

LENGTHS = (6, 1, 11, 3, 2, 8, 40, 1, 2, 25, 10, 20, 30)
X = batch_of_texts(LENGTHS)["source"]
LENGTH = torch.tensor(LENGTHS)


def draws(count, seed=0):
    return torch.rand(len(LENGTHS), count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_lengths_and_what_lies_within_them():
    assert edits.lengths(X, 0).tolist() == list(LENGTHS)
    assert edits.lengths(X, None).tolist() == [40] * 13
    assert edits.within(X, LENGTH).sum(1).tolist() == list(LENGTHS)


@pytest.mark.parametrize("share", [0.0, 0.04, 0.1, 0.33, 1.0])
def test_how_often(share):
    count = edits.number(share, LENGTH)
    assert count.tolist() == [text_edits.times(share, length) for length in LENGTHS]
    assert count.max() <= edits.most(share, 40)
    assert edits.number(share, torch.tensor([0])).tolist() == [0]


@pytest.mark.parametrize("p", [0.0, 0.2, 0.7, 1.0])
def test_deletion(p):
    u = draws(40)
    found = edits.deleted(X, LENGTH, u < p, u, 0)
    assert found.shape == X.shape
    assert tokens(found) == [text_edits.delete(row, p, one) for row, one in zip(tokens(X), u.tolist(), strict=True)]


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("adjacent", [False, True])
def test_exchanges(share, adjacent):
    times = edits.most(share, 40)
    u = draws(2 * times).view(-1, times, 2)
    found = edits.exchanged(X, LENGTH, edits.number(share, LENGTH), u, adjacent)
    expected = [text_edits.swap(row, share, one, adjacent) for row, one in zip(tokens(X), u.tolist(), strict=True)]
    assert tokens(found) == expected
    assert torch.equal(found.sort(1).values, X.sort(1).values)


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_insertion(share):
    times = edits.most(share, 40)
    u = draws(2 * times).view(-1, times, 2)
    found = edits.inserted(X, LENGTH, edits.number(share, LENGTH), u, 0)
    assert found.shape == (13, 40 + times)
    assert tokens(found) == [text_edits.insert(row, share, one) for row, one in zip(tokens(X), u.tolist(), strict=True)]


def test_none_where_the_count_is_zero_and_none_in_a_text_without_tokens():
    none, empty = torch.zeros_like(LENGTH), torch.zeros(2, 5, dtype=torch.int64)
    u = draws(8).view(-1, 4, 2)
    assert torch.equal(edits.exchanged(X, LENGTH, none, u, False), X)
    assert torch.equal(edits.inserted(X, LENGTH, none, u, 0)[:, :40], X)
    length = edits.lengths(empty, 0)
    few = edits.number(0.5, length)
    assert not edits.exchanged(empty, length, few, u[:2], False).any()
    assert not edits.inserted(empty, length, few, u[:2], 0).any()
    assert not edits.deleted(empty, length, torch.ones(2, 5, dtype=torch.bool), draws(5)[:2], 0).any()

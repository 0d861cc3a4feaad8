"""Readings of batches are joined row by row, whatever their lengths."""

from __future__ import annotations

import torch

from assay.readings import join


def test_rows_are_filled_up_to_the_longest():
    parts = [
        {"index": torch.arange(2), "tags": torch.tensor([[1, 2], [3, -1]]), "odds": torch.ones(2, 2, 3)},
        {"index": torch.arange(2, 3), "tags": torch.tensor([[4, 5, 6]]), "odds": torch.full((1, 3, 3), 2.0)},
    ]
    joined = join(parts)
    assert joined["index"].tolist() == [0, 1, 2]
    assert joined["tags"].tolist() == [[1, 2, -1], [3, -1, -1], [4, 5, 6]]
    assert joined["odds"].shape == (3, 3, 3)
    assert joined["odds"][:2, 2].eq(-1).all()
    assert joined["odds"][2].eq(2).all()


def test_one_length_is_a_plain_concatenation():
    a, b = torch.randn(3, 4), torch.randn(2, 4)
    assert torch.equal(join([{"x": a}, {"x": b}])["x"], torch.cat([a, b]))

"""The mean over valid positions against a loop."""

from __future__ import annotations

import torch

from assay.layers.pooling import k_max_valid, max_valid, mean_valid


def test_mean_valid():
    states = torch.randn(3, 4, 2, dtype=torch.float64)
    mask = torch.tensor([[True, True, False, False], [False, False, False, False], [True, False, True, True]])
    expected = torch.stack(
        [(states[0, 0] + states[0, 1]) / 2, torch.zeros(2).double(), states[2, [0, 2, 3]].sum(0) / 3]
    )
    torch.testing.assert_close(mean_valid(states, mask), expected)
    torch.testing.assert_close(mean_valid(states, None), sum(states.unbind(1)) / 4)


STATES = torch.tensor([[[1.0, -5], [3, -1], [2, -2], [3, -9]], [[-4, 0], [-3, 0], [9, 9], [9, 9]], [[7, 7]] * 4])
VALID = torch.tensor([[True] * 4, [True, True, False, False], [False] * 4])


def test_maximum_over_valid_positions():
    assert max_valid(STATES, VALID).tolist() == [[3, -1], [-3, 0], [0, 0]]
    assert max_valid(STATES, None).tolist() == [[3, -1], [9, 9], [7, 7]]


def test_k_largest_stand_in_their_order_the_earlier_of_equals():
    assert k_max_valid(STATES, VALID, 2).tolist() == [[3, -1, 3, -2], [-4, 0, -3, 0], [0, 0, 0, 0]]
    assert k_max_valid(STATES, VALID, 3).tolist()[0] == [3, -5, 2, -1, 3, -2]
    assert k_max_valid(STATES[:1], None, 5).tolist() == [[1, -5, 3, -1, 2, -2, 3, -9, 0, 0]]
    grades = torch.tensor([[[0.0], [1], [0], [2]]])
    assert k_max_valid(grades, None, 3).tolist() == [[0, 1, 2]]  # the first zero, which stands before the one

"""What recurrent nets share, apart from their cells."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from assay.errors import ConfigError
from assay.layers.random import Dropout
from assay.layers.recurrent import directions, encode, last_valid, reversal


class Sum(nn.Module):
    """s_t = s_{t-1} + x_t: a cell whose answers can be told by hand."""

    def forward(self, x, mask=None, state=None):
        start = torch.zeros_like(x[:, 0]) if state is None else state[0]
        states = start.unsqueeze(1) + x.cumsum(1)
        return states, (states[:, -1] if mask is None else last_valid(states, mask, start),)


def run(bidirectional, mask, state=None):
    x = torch.tensor([[1.0, 2, 4], [1, 2, 9]]).unsqueeze(-1)
    ahead, back = directions(lambda size: Sum(), 1, 1, 1, bidirectional)
    return encode(ahead, back, nn.ModuleList([Dropout(0.0)]), x, mask, state)


MASK = torch.tensor([[True, True, True], [True, True, False]])


def test_one_direction_by_hand():
    encoded = run(False, MASK)
    assert encoded.states.squeeze(-1).tolist() == [[1, 3, 7], [1, 3, 0]]
    assert encoded.last.tolist() == [[7], [3]]
    assert encoded.state[0].tolist() == [[[7]], [[3]]]
    assert run(False, None, encoded.state).last.tolist() == [[14], [15]]


def test_two_directions_by_hand():
    encoded = run(True, MASK)
    assert encoded.states.tolist() == [[[1, 7], [3, 6], [7, 4]], [[1, 3], [3, 2], [0, 0]]]
    assert encoded.last.tolist() == [[7, 7], [3, 3]]
    assert encoded.state is None
    assert run(True, None).last.tolist() == [[7, 7], [12, 12]]


def test_two_directions_carry_no_state():
    with pytest.raises(ConfigError, match=r"model\.bidirectional=true cannot carry a state on"):
        run(True, None, (torch.zeros(2, 1, 1),))


def test_layers_above_the_first_read_all_directions():
    sizes = []

    def layer(size):
        sizes.append(size)
        return nn.Identity()

    ahead, back = directions(layer, 3, 5, 3, True)
    assert sizes == [3, 10, 10] * 2
    assert (len(ahead), len(back)) == (3, 3)
    assert len(directions(layer, 3, 5, 2, False)[1]) == 0
    assert sizes[6:] == [3, 5]


def test_reversal_is_its_own_inverse_and_moves_valid_positions_only():
    mask = torch.arange(7) < torch.tensor([7, 4, 1, 6]).unsqueeze(1)
    index = reversal(mask)
    assert index[1].tolist() == [3, 2, 1, 0, 4, 5, 6]
    assert torch.equal(index.gather(1, index), torch.arange(7).expand(4, 7))


def test_last_valid():
    states = torch.arange(12.0).view(2, 3, 2)
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert last_valid(states, mask).tolist() == [[2, 3], [0, 0]]
    assert last_valid(states, mask, torch.full((2, 2), 9.0)).tolist() == [[2, 3], [9, 9]]

"""The mean over valid positions against a loop."""

from __future__ import annotations

import torch

from assay.layers.pooling import mean_valid


def test_mean_valid():
    states = torch.randn(3, 4, 2, dtype=torch.float64)
    mask = torch.tensor([[True, True, False, False], [False, False, False, False], [True, False, True, True]])
    expected = torch.stack(
        [(states[0, 0] + states[0, 1]) / 2, torch.zeros(2).double(), states[2, [0, 2, 3]].sum(0) / 3]
    )
    torch.testing.assert_close(mean_valid(states, mask), expected)
    torch.testing.assert_close(mean_valid(states, None), sum(states.unbind(1)) / 4)

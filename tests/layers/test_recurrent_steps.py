"""The readable step of every recurrent layer, iterated, is the layer."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from assay.layers.gru_cell import KernelGRU, LoopGRU
from assay.layers.lstm_cell import KernelLSTM, NormalizedLSTM
from assay.layers.normalization import layer, none
from assay.layers.recurrent import Steps
from assay.layers.rnn_cell import KernelRNN, NormalizedRNN

B, T, D, H = 3, 6, 4, 5
CELLS = {
    "rnn": lambda: KernelRNN(D, H, "tanh"),
    "irnn": lambda: KernelRNN(D, H, "relu"),
    "rnn, normalised": lambda: NormalizedRNN(D, H, "tanh", layer),
    "irnn, normalised": lambda: NormalizedRNN(D, H, "relu", layer),
    "lstm": lambda: KernelLSTM(D, H),
    "lstm, normalised": lambda: NormalizedLSTM(D, H, layer),
    "gru, reset after": lambda: KernelGRU(D, H),
    "gru, reset before": lambda: LoopGRU(D, H, "before", none),
    "gru, before, normalised": lambda: LoopGRU(D, H, "before", layer),
    "gru, after, normalised": lambda: LoopGRU(D, H, "after", layer),
}


@pytest.mark.parametrize("name", CELLS)
def test_steps_are_the_layer(name):
    torch.manual_seed(0)
    cell = CELLS[name]().double()
    for parameter in cell.parameters():
        nn.init.normal_(parameter, std=0.7)
    assert isinstance(cell, Steps)
    x = torch.randn(B, T, D, dtype=torch.float64)
    states, end = cell(x)
    state = cell.zeros(x[:, 0])
    for t in range(T):
        state, units = cell.step(x[:, t], state)
        torch.testing.assert_close(state[0], states[:, t], rtol=1e-12, atol=1e-12)
        for function, values in units.values():
            assert values.shape == (B, H)
            low, high = {"sigmoid": (0, 1), "tanh": (-1, 1), "relu": (0, float("inf"))}[function]
            assert bool(((values >= low) & (values <= high)).all())
    for one, other in zip(state, end, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_no_other_layer_claims_to_have_steps():
    assert not any(isinstance(module, Steps) for module in (nn.Linear(2, 2), nn.LSTM(2, 2), nn.Sequential()))

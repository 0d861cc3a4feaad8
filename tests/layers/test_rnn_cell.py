"""Both cells against NumPy loops; ragged batches row by row; the start of IRNN."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from assay.layers import normalization
from assay.layers.initialization import initialize
from assay.layers.rnn_cell import KernelRNN, NormalizedRNN
from tests.references import recurrent as reference

B, T, D, H = 4, 7, 3, 5
LENGTHS = torch.tensor([7, 4, 1, 6])
F = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0)}


def drawn(cell):
    cell = cell.double()
    for parameter in cell.parameters():
        nn.init.normal_(parameter, 0, 0.5)
    return cell


def kernel(nonlinearity):
    def loop(cell, x, h):
        w, u, *biases = (p.detach().numpy() for p in cell.kernel.parameters())
        return reference.elman(x, w, u, sum(biases), h, F[nonlinearity])

    return drawn(KernelRNN(D, H, nonlinearity)), loop


def normalized(nonlinearity):
    def loop(cell, x, h):
        norm = cell.norm.weight.detach().numpy(), cell.norm.bias.detach().numpy()
        w, u = cell.weight_x.detach().numpy(), cell.weight_h.detach().numpy()
        return reference.normalized_elman(x, w, u, norm, h, F[nonlinearity])

    return drawn(NormalizedRNN(D, H, nonlinearity, normalization.layer)), loop


def unnormalized(nonlinearity):
    """The loop without a normalisation is the kernel's function."""

    def loop(cell, x, h):
        w, u, b = (p.detach().numpy() for p in (cell.weight_x, cell.weight_h, cell.bias))
        return reference.elman(x, w, u, b, h, F[nonlinearity])

    return drawn(NormalizedRNN(D, H, nonlinearity, normalization.none)), loop


@pytest.mark.parametrize("make", [kernel, normalized, unnormalized])
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("carried", [False, True])
def test_against_a_loop(make, nonlinearity, masked, carried):
    cell, loop = make(nonlinearity)
    x = torch.randn(B, T, D, dtype=torch.float64)
    mask = torch.arange(T) < LENGTHS.unsqueeze(1)
    state = (torch.randn(B, H, dtype=torch.float64),) if carried else None
    states, (h,) = cell(x, mask if masked else None, state)
    for b in range(B):
        length = int(LENGTHS[b]) if masked else T
        expected = loop(cell, x[b, :length].numpy(), np.zeros(H) if state is None else state[0][b].numpy())
        np.testing.assert_allclose(states[b, :length].detach().numpy(), expected, atol=1e-12)
        np.testing.assert_allclose(h[b].detach().numpy(), expected[-1], atol=1e-12)


@pytest.mark.parametrize("make", [kernel, normalized])
def test_an_example_without_valid_positions_keeps_its_state(make):
    cell, _ = make("tanh")
    mask = torch.arange(T) < LENGTHS.unsqueeze(1)
    mask[2] = False
    state = (torch.randn(B, H, dtype=torch.float64),)
    _, (h,) = cell(torch.randn(B, T, D, dtype=torch.float64), mask, state)
    assert torch.equal(h[2], state[0][2])


def test_irnn_starts_as_a_sum_over_time_and_a_chosen_init_replaces_that():
    cell = KernelRNN(2, 300, "relu")
    w, u, *biases = cell.kernel.parameters()
    assert torch.equal(u, torch.eye(300))
    assert not any(bias.any() for bias in biases)
    assert 0.0008 < w.std() < 0.0012
    x = torch.rand(1, 50, 2)
    states, _ = cell(x)
    torch.testing.assert_close(states[0, -1], (x[0] @ w.T).relu().sum(0), atol=0.02, rtol=0.5)
    initialize(cell, nn.init.ones_)
    assert (u == 1).all()
    assert torch.equal(NormalizedRNN(2, 9, "relu", normalization.layer).weight_h, torch.eye(9))
    assert not torch.equal(KernelRNN(2, 9, "tanh").kernel.weight_hh_l0, torch.eye(9))

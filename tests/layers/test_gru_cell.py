"""Both cells against NumPy loops, gate by gate; the loop against torch's kernel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from assay.layers import normalization
from assay.layers.gru_cell import KernelGRU, LoopGRU
from tests.references import recurrent as reference

B, T, D, H = 4, 7, 3, 5
LENGTHS = torch.tensor([7, 4, 1, 6])


def drawn(cell):
    cell = cell.double()
    for parameter in cell.parameters():
        nn.init.normal_(parameter)
    return cell


def gates(rows):
    """Rows r, z, n as u, r, n: z = 1 - u = 1 - σ(a) = σ(-a)."""
    r, z, n = np.split(rows, 3)
    return {"u": -z, "r": r, "n": n}


def kernel():
    def loop(cell, x, h):
        w, u, b_x, b_h = (p.detach().numpy() for p in cell.kernel.parameters())
        b = gates(b_x + b_h)
        b["n"] = b_x[2 * H :]
        return reference.gru(x, gates(w), gates(u), b, b_h[2 * H :], h, "after")

    return drawn(KernelGRU(D, H)), loop


def plain(reset):
    def loop(cell, x, h):
        w, u, b = (gates(p.detach().numpy()) for p in (cell.weight_x, cell.weight_h, cell.bias))
        return reference.gru(x, w, u, b, 0, h, reset)

    return drawn(LoopGRU(D, H, reset, normalization.none)), loop


def normalized(reset):
    def loop(cell, x, h):
        def arrays(norms):
            return [(norm.weight.detach().numpy(), norm.bias.detach().numpy()) for norm in norms]

        w, u = cell.weight_x.detach().numpy(), cell.weight_h.detach().numpy()
        return reference.normalized_gru(x, w, u, arrays(cell.norm_x), arrays(cell.norm_h), h, reset)

    return drawn(LoopGRU(D, H, reset, normalization.layer)), loop


MAKERS = {
    "kernel": kernel,
    "before": lambda: plain("before"),
    "after": lambda: plain("after"),
    "normalized before": lambda: normalized("before"),
    "normalized after": lambda: normalized("after"),
}


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("carried", [False, True])
def test_against_a_loop(make, masked, carried):
    cell, loop = MAKERS[make]()
    x = torch.randn(B, T, D, dtype=torch.float64)
    mask = torch.arange(T) < LENGTHS.unsqueeze(1)
    state = (torch.randn(B, H, dtype=torch.float64),) if carried else None
    states, (h,) = cell(x, mask if masked else None, state)
    for b in range(B):
        length = int(LENGTHS[b]) if masked else T
        expected = loop(cell, x[b, :length].numpy(), np.zeros(H) if state is None else state[0][b].numpy())
        np.testing.assert_allclose(states[b, :length].detach().numpy(), expected, atol=1e-12)
        np.testing.assert_allclose(h[b].detach().numpy(), expected[-1], atol=1e-12)


def test_the_loop_with_the_reset_after_is_torch_gru_and_before_is_not():
    """Weights copied; b' of the kernel, which the loop does not have, at zero."""
    ours = {reset: drawn(LoopGRU(D, H, reset, normalization.none)) for reset in ("before", "after")}
    torch_gru = KernelGRU(D, H).double()
    x = torch.randn(B, T, D, dtype=torch.float64)
    for reset, cell in ours.items():
        w, u, b_x, b_h = torch_gru.kernel.parameters()
        for parameter, value in ((w, cell.weight_x), (u, cell.weight_h), (b_x, cell.bias), (b_h, torch.zeros(3 * H))):
            parameter.data.copy_(value)
        assert torch.allclose(cell(x)[0], torch_gru(x)[0], rtol=0, atol=1e-13) == (reset == "after")


@pytest.mark.parametrize("make", MAKERS)
def test_an_example_without_valid_positions_keeps_its_state(make):
    cell, _ = MAKERS[make]()
    mask = torch.arange(T) < LENGTHS.unsqueeze(1)
    mask[2] = False
    state = (torch.randn(B, H, dtype=torch.float64),)
    _, (h,) = cell(torch.randn(B, T, D, dtype=torch.float64), mask, state)
    assert torch.equal(h[2], state[0][2])

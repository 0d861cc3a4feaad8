"""Both cells against NumPy loops, gate by gate; ragged batches against torch's packed sequences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from assay.layers.initialization import initialize
from assay.layers.lstm_cell import KernelLSTM, NormalizedLSTM, in_one_chunk
from assay.layers.normalization import layer
from tests.references import lstm as reference

B, T, D, H = 4, 7, 3, 5
LENGTHS = torch.tensor([7, 4, 1, 6])


def ragged():
    x = torch.randn(B, T, D, dtype=torch.float64)
    return x, torch.arange(T) < LENGTHS.unsqueeze(1)


def start():
    return torch.randn(B, H, dtype=torch.float64), torch.randn(B, H, dtype=torch.float64)


def plain_loop(cell, x, h, c):
    names = dict(zip("ifgo", range(4), strict=True))  # torch's order: i, f, c̃, o
    parameters = {name: p.detach().numpy() for name, p in cell.kernel.named_parameters()}
    w, u = ({g: parameters[n][k * H : (k + 1) * H] for g, k in names.items()} for n in ("weight_ih_l0", "weight_hh_l0"))
    bias = parameters["bias_ih_l0"] + parameters["bias_hh_l0"]
    return reference.lstm(x, w, u, {g: bias[k * H : (k + 1) * H] for g, k in names.items()}, h, c)


def normalized_loop(cell, x, h, c):
    def arrays(norm):
        return norm.weight.detach().numpy(), norm.bias.detach().numpy()

    w, u, b = (p.detach().numpy() for p in (cell.weight_x, cell.weight_h, cell.bias))
    return reference.normalized_lstm(x, w, u, b, *map(arrays, (cell.norm_x, cell.norm_h, cell.norm_c)), h, c)


def kernel():
    return KernelLSTM(D, H).double(), plain_loop


def normalized():
    cell = NormalizedLSTM(D, H, layer).double()
    for parameter in cell.parameters():
        nn.init.normal_(parameter)
    return cell, normalized_loop


@pytest.mark.parametrize("make", [kernel, normalized])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("carried", [False, True])
def test_against_a_loop(make, masked, carried):
    cell, loop = make()
    x, mask = ragged()
    state = start() if carried else None
    states, (h, c) = cell(x, mask if masked else None, state)
    h0, c0 = state if state is not None else (torch.zeros(B, H),) * 2
    for b in range(B):
        length = int(LENGTHS[b]) if masked else T
        expected = loop(cell, x[b, :length].numpy(), h0[b].numpy(), c0[b].numpy())
        for ours, theirs in zip((states[b, :length], h[b], c[b]), expected, strict=True):
            np.testing.assert_allclose(ours.detach().numpy(), theirs, atol=1e-12)


def test_ragged_batches_equal_packed_sequences_with_gradients():
    x, mask = ragged()
    cell = KernelLSTM(D, H).double()
    torch_cell = nn.LSTM(D, H, batch_first=True).double()
    torch_cell.load_state_dict(cell.kernel.state_dict())
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    states, (h, c) = cell(ours, mask)
    packed = nn.utils.rnn.pack_padded_sequence(theirs, LENGTHS, batch_first=True, enforce_sorted=False)
    expected, (h_n, c_n) = torch_cell(packed)
    expected, _ = nn.utils.rnn.pad_packed_sequence(expected, batch_first=True)
    torch.testing.assert_close(states * mask.unsqueeze(-1), expected, rtol=0, atol=1e-14)
    torch.testing.assert_close(h, h_n[0], rtol=0, atol=1e-14)
    torch.testing.assert_close(c, c_n[0], rtol=0, atol=1e-14)
    along = torch.randn_like(states)
    ((states * mask.unsqueeze(-1) * along).sum() + h.sum() + c.square().sum()).backward()
    ((expected * along).sum() + h_n.sum() + c_n.square().sum()).backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-12, atol=1e-14)
    for (name, p), q in zip(cell.kernel.named_parameters(), torch_cell.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-12, atol=1e-13, msg=name)


@pytest.mark.parametrize("make", [kernel, normalized])
def test_an_example_without_valid_positions_keeps_its_state(make):
    cell, _ = make()
    x, mask = ragged()
    mask[2] = False
    state = start()
    _, (h, c) = cell(x, mask, state)
    assert torch.equal(h[2], state[0][2])
    assert torch.equal(c[2], state[1][2])


def test_without_a_mask_the_kernel_is_torch_lstm_itself():
    x, _ = ragged()
    cell = KernelLSTM(D, H).double()
    states, (h, c) = cell(x)
    expected, (h_n, c_n) = cell.kernel(x)
    assert torch.equal(states, expected)
    assert torch.equal(h, h_n[0])
    assert torch.equal(c, c_n[0])


def test_half_precision_holds_the_state_too():
    cell = KernelLSTM(D, H).to(torch.bfloat16)
    x, mask = ragged()
    short = x[1:2, :4].to(torch.bfloat16)
    _, (_, c) = cell(x.to(torch.bfloat16), mask)
    _, (_, alone) = cell(short)
    torch.testing.assert_close(c[1:2], alone, atol=2e-2, rtol=2e-2)


def test_one_chunk_holds_the_same_values_side_by_side_and_lets_gradients_through():
    tensors = [torch.randn(3, 2, requires_grad=True), torch.randn(4, requires_grad=True)]
    chunk = in_one_chunk(tensors)
    for view, tensor in zip(chunk, tensors, strict=True):
        assert torch.equal(view, tensor)
    assert [view.storage_offset() for view in chunk] == [0, 6]
    assert chunk[0].untyped_storage().data_ptr() == chunk[1].untyped_storage().data_ptr()
    (2 * chunk[0]).sum().backward()
    assert (tensors[0].grad == 2).all()


@pytest.mark.parametrize("init", [None, nn.init.ones_])
def test_the_forget_gate_starts_open_whatever_init(init):
    """At zero weights the gate is σ of its bias alone: what an LSTM keeps of c after one step from nothing."""
    for cell in (KernelLSTM(D, H, forget_bias=2.0), NormalizedLSTM(D, H, layer, forget_bias=2.0)):
        cell = cell.double()
        if init is not None:
            initialize(cell, init)
        for parameter in cell.parameters():
            if parameter.dim() == 2:
                nn.init.zeros_(parameter)
        units = cell.step(
            torch.zeros(1, D, dtype=torch.float64), (torch.zeros(1, H).double(), torch.ones(1, H).double())
        )
        forget = units[1]["forget"][1]
        torch.testing.assert_close(forget, torch.full_like(forget, 1 / (1 + math.exp(-2.0))))


def test_without_a_forget_bias_the_start_is_torchs():
    torch.manual_seed(0)
    ours = KernelLSTM(D, H)
    torch.manual_seed(0)
    theirs = nn.LSTM(D, H, batch_first=True)
    assert all(torch.equal(a, b) for a, b in zip(ours.kernel.parameters(), theirs.parameters(), strict=True))

"""GRU against torch.nn.GRU on packed sequences, weights copied."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from assay.errors import ConfigError
from assay.layers import normalization
from assay.models.gru import GRU

B, T, D, H = 4, 7, 3, 5
LENGTHS = torch.tensor([7, 4, 1, 6])


def make(layers: int = 1, both: bool = False, reset: str = "after", norm=normalization.none) -> GRU:
    return GRU((None, D), H, layers, both, reset, 0.0, norm).double()


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_against_torch(layers, both, masked):
    model = make(layers, both)
    reference = nn.GRU(D, H, layers, batch_first=True, bidirectional=both).double()
    for k in range(layers):
        for suffix, direction in (("", model.ahead), ("_reverse", model.back)) if both else (("", model.ahead),):
            for name, value in direction[k].kernel.named_parameters():
                getattr(reference, name.removesuffix("0") + f"{k}{suffix}").data.copy_(value.detach())
    ours, theirs = (torch.randn(B, T, D, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) for _ in "ab")
    ours.requires_grad_(), theirs.requires_grad_()
    mask = torch.arange(T) < LENGTHS.unsqueeze(1)
    encoded = model(ours, mask if masked else None)
    if masked:
        packed = nn.utils.rnn.pack_padded_sequence(theirs, LENGTHS, batch_first=True, enforce_sorted=False)
        states, h = reference(packed)
        states, _ = nn.utils.rnn.pad_packed_sequence(states, batch_first=True)
    else:
        states, h = reference(theirs)
    torch.testing.assert_close(encoded.states, states, rtol=0, atol=1e-14)
    last = torch.cat([h[-2], h[-1]], 1) if both else h[-1]
    torch.testing.assert_close(encoded.last, last, rtol=0, atol=1e-14)
    if both:
        assert encoded.state is None
    else:
        torch.testing.assert_close(encoded.state, (h.transpose(0, 1),), rtol=0, atol=1e-14)
    along = torch.randn_like(states)
    ((encoded.states * along).sum() + encoded.last.square().sum()).backward()
    ((states * along).sum() + last.square().sum()).backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-11, atol=1e-13)


def test_two_directions_are_each_other_on_reversed_input():
    """The backward half on x is the forward half of the same weights on x reversed, read from the other end."""
    model = make(both=True)
    model.back.load_state_dict(model.ahead.state_dict())
    x = torch.randn(B, T, D, dtype=torch.float64)
    states, reversed_states = model(x).states, model(x.flip(1)).states
    torch.testing.assert_close(states[..., H:], reversed_states.flip(1)[..., :H], rtol=0, atol=1e-14)
    torch.testing.assert_close(model(x).last[:, H:], reversed_states[:, -1, :H], rtol=0, atol=1e-14)


def test_the_order_of_a_batch_does_not_matter():
    model, x = make(), torch.randn(B, T, D, dtype=torch.float64)
    mask = torch.arange(T) < LENGTHS.unsqueeze(1)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(model(x[order], mask[order]).last, model(x, mask).last[order], rtol=0, atol=1e-14)


def test_refusals():
    with pytest.raises(ConfigError, match=r"model\.reset=none is not one of before, after"):
        make(reset="none")
    with pytest.raises(ConfigError, match="use normalization=layer or none"):
        make(norm=normalization.batch)
    with pytest.raises(ConfigError, match=r"model\.bidirectional=true cannot carry a state on"):
        make(both=True)(torch.randn(B, T, D).double(), None, (torch.zeros(B, 1, H),))

"""LSTM against torch.nn.LSTM on packed sequences, weights copied, and its layer-normalised form."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from assay.errors import ConfigError
from assay.layers import normalization
from assay.layers.random import KeyedStreams
from assay.models.lstm import LSTM

B, T, D, H = 4, 7, 3, 5
LENGTHS = torch.tensor([7, 4, 1, 6])


def copied(model: LSTM, layers: int, both: bool) -> nn.LSTM:
    reference = nn.LSTM(D, H, layers, batch_first=True, bidirectional=both).double()
    for k in range(layers):
        for suffix, direction in (("", model.ahead), ("_reverse", model.back)) if both else (("", model.ahead),):
            for name, value in direction[k].kernel.named_parameters():
                getattr(reference, name.removesuffix("0") + f"{k}{suffix}").data.copy_(value.detach())
    return reference


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_against_torch(layers, both, masked):
    model = LSTM((None, D), H, layers, both, 0.0, normalization.none).double()
    reference = copied(model, layers, both)
    x = torch.randn(B, T, D, dtype=torch.float64)
    mask = torch.arange(T) < LENGTHS.unsqueeze(1)
    encoded = model(x, mask if masked else None)
    if masked:
        packed = nn.utils.rnn.pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
        states, (h, c) = reference(packed)
        states, _ = nn.utils.rnn.pad_packed_sequence(states, batch_first=True)
    else:
        states, (h, c) = reference(x)
    torch.testing.assert_close(encoded.states, states, rtol=0, atol=1e-14)
    last = torch.cat([h[-2], h[-1]], 1) if both else h[-1]
    torch.testing.assert_close(encoded.last, last, rtol=0, atol=1e-14)
    if both:
        assert encoded.state is None
    else:
        torch.testing.assert_close(encoded.state, (h.transpose(0, 1), c.transpose(0, 1)), rtol=0, atol=1e-14)


class Operations(TorchDispatchMode):
    """Counts what is computed."""

    def __init__(self):
        super().__init__()
        self.seen = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen[func.overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))


def test_one_layer_without_mask_is_one_call_of_the_kernel():
    """Counted, not timed: beside torch's own operations, views of their result and the carried state put together."""
    model = LSTM((None, D), H, 1, False, 0.0, normalization.none)
    x = torch.randn(B, T, D)
    with Operations() as bare:
        model.ahead[0].kernel(x)
    with Operations() as ours:
        model(x)
    assert bare.seen
    assert set(ours.seen - bare.seen) <= {"select", "stack"}


def test_dropout_falls_between_layers_and_on_the_output_not_on_the_carried_state():
    model = LSTM((None, D), 200, 2, False, 0.5, normalization.none).train()
    seen = []
    model.ahead[1].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    with KeyedStreams(0).at(0):
        encoded = model(torch.randn(B, T, D))
    for dropped in (seen[0], encoded.states, encoded.last):
        assert 0.4 < (dropped == 0).float().mean() < 0.6
    assert (encoded.state[0] != 0).all()
    assert torch.equal(encoded.last, encoded.states[:, -1])


def test_a_state_for_two_directions_is_refused():
    model = LSTM((None, D), H, 1, True, 0.0, normalization.none)
    state = (torch.zeros(B, 1, H), torch.zeros(B, 1, H))
    with pytest.raises(ConfigError, match=r"model\.bidirectional=true cannot carry a state on"):
        model(torch.randn(B, T, D), None, state)


def test_batch_normalisation_is_refused():
    with pytest.raises(ConfigError, match="use normalization=layer or none"):
        LSTM((None, D), H, 1, False, 0.0, normalization.batch)

"""Self-attention against a NumPy loop over heads and pairs of positions, and its dropped-out path against the other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from assay.errors import ConfigError
from assay.layers.attention import SelfAttention, attention_mask
from assay.layers.positions import Rotary
from assay.layers.random import KeyedStreams
from tests.references import attention as reference

B, T, S, HEADS = 3, 6, 8, 2
LENGTHS = [6, 4, 1]


def inputs():
    x = torch.randn(B, T, S, dtype=torch.float64)
    return x, torch.arange(T) < torch.tensor(LENGTHS).unsqueeze(1)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("rotary", "norm"), [(False, False), (True, False), (False, True), (True, True)])
def test_self_attention(causal, masked, rotary, norm):
    x, mask = inputs()
    layer = SelfAttention(S, HEADS, rotate=Rotary(S // HEADS) if rotary else None, query_key_norm=norm).double()
    nn.init.normal_(layer.bias)
    y = layer(x, attention_mask(x, mask if masked else None, causal)).detach().numpy()
    weights = [w.detach().numpy() for w in (layer.weight, layer.bias, layer.output.weight, layer.output.bias)]
    for b, length in enumerate(LENGTHS if masked else [T] * B):
        expected = (
            reference.self_attention(
                x[b].numpy(),
                *weights,
                HEADS,
                lambda i, j, n=length: j < n and (j <= i or not causal),
                reference.rotate if rotary else None,
                norm,
            )[:length]
            if not causal or length == T
            else None
        )
        if expected is None:  # the loop has no positions to look at beyond the valid ones' own
            expected = reference.self_attention(
                x[b, :length].numpy(), *weights, HEADS, lambda i, j: j <= i, reference.rotate if rotary else None, norm
            )
        np.testing.assert_allclose(y[b, :length], expected, atol=1e-7 if rotary else 1e-12)


@pytest.mark.parametrize("causal", [False, True])
def test_the_path_with_dropout_computes_the_same_where_nothing_is_dropped(causal):
    x, mask = inputs()
    layer = SelfAttention(S, HEADS, dropout=1e-12).double().train()
    allowed = attention_mask(x, mask, causal)
    with KeyedStreams(0).at(0):
        explicit = layer(x, allowed)
    torch.testing.assert_close(explicit, layer.eval()(x, allowed))


def test_attention_weights_are_dropped_by_our_streams():
    x, _ = inputs()
    layer = SelfAttention(S, HEADS, dropout=0.5).double().train()
    with KeyedStreams(0).at(0):
        first = layer(x)
    with KeyedStreams(0).at(0):
        again = layer(x)
    with KeyedStreams(0).at(1):
        other = layer(x)
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    assert not torch.allclose(first, layer.eval()(x))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_an_example_without_valid_positions_gives_numbers(causal, dropout):
    x, mask = inputs()
    mask[1] = False
    x.requires_grad_()
    with KeyedStreams(0).at(0):
        y = SelfAttention(S, HEADS, dropout).double().train()(x, attention_mask(x, mask, causal))
    y.sum().backward()
    assert y.isfinite().all()
    assert x.grad.isfinite().all()


def test_heads_must_divide_the_size():
    with pytest.raises(ConfigError, match=r"model\.num_heads=3 does not divide model\.size=8"):
        SelfAttention(8, 3)


def test_it_starts_as_torchs_does():
    torch.manual_seed(0)
    ours, theirs = SelfAttention(64, 4), nn.MultiheadAttention(64, 4)
    bound = (6 / (64 + 3 * 64)) ** 0.5  # Xavier uniform of the three matrices together
    for weight in (ours.weight, theirs.in_proj_weight):
        assert 0.99 * bound < float(weight.detach().abs().max()) <= bound
    assert not ours.bias.any()
    assert not ours.output.bias.any()
    assert not theirs.out_proj.bias.any()
    spread = [float(part.weight.detach().std()) for part in (ours.output, theirs.out_proj)]
    assert spread[0] == pytest.approx(spread[1], rel=0.05)

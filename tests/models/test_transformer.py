"""Transformer against torch.nn.TransformerEncoder with copied weights, pre- and post-norm, ragged and causal."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from assay.errors import ConfigError
from assay.layers import normalization
from assay.layers.random import KeyedStreams
from assay.models.transformer import Transformer

B, T, D, S = 4, 7, 3, 8
LENGTHS = torch.tensor([7, 4, 1, 6])


def make(**changes):
    settings = {
        "size": S,
        "num_heads": 2,
        "num_layers": 2,
        "shared": False,
        "feedforward_size": 12,
        "positions": "none",
        "max_length": 10,
        "norm_first": True,
        "causal": False,
        "activation": nn.ReLU,
        "normalization": normalization.layer,
        "dropout": 0.0,
    }
    return Transformer((None, D), **{**settings, **changes})


def copied(model, norm_first):
    layer = nn.TransformerEncoderLayer(S, 2, 12, dropout=0.0, batch_first=True, norm_first=norm_first)
    norm = nn.LayerNorm(S) if norm_first else None
    reference = nn.TransformerEncoder(layer, len(model.blocks), norm, enable_nested_tensor=False).double()
    pairs = [(theirs, ours) for theirs, ours in zip(reference.layers, model.blocks, strict=True)]
    for theirs, ours in pairs:
        theirs.self_attn.in_proj_weight.data.copy_(ours.attention.weight)
        theirs.self_attn.in_proj_bias.data.copy_(ours.attention.bias)
        theirs.self_attn.out_proj.load_state_dict(ours.attention.output.state_dict())
        theirs.linear1.load_state_dict(ours.feedforward[0].state_dict())
        theirs.linear2.load_state_dict(ours.feedforward[2].state_dict())
        theirs.norm1.load_state_dict(ours.attention_norm.state_dict())
        theirs.norm2.load_state_dict(ours.feedforward_norm.state_dict())
    if norm_first:
        reference.norm.load_state_dict(model.norm.state_dict())
    return reference


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_against_torch(norm_first, masked, causal):
    model = make(norm_first=norm_first, causal=causal).double()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    reference = copied(model, norm_first).train()
    x = torch.randn(B, T, D, dtype=torch.float64)
    mask = torch.arange(T) < LENGTHS.unsqueeze(1) if masked else None
    expected = reference(
        model.project(x),
        mask=torch.ones(T, T, dtype=torch.bool).triu(1) if causal else None,
        src_key_padding_mask=None if mask is None else ~mask,
    )
    encoded = model(x, mask)
    lengths = LENGTHS.tolist() if masked else [T] * B
    for b, length in enumerate(lengths):
        torch.testing.assert_close(encoded.states[b, :length], expected[b, :length], rtol=1e-9, atol=1e-11)
        torch.testing.assert_close(encoded.last[b], expected[b, :length].mean(0), rtol=1e-9, atol=1e-11)
    assert encoded.state is None


def test_without_positions_order_means_nothing_and_with_them_it_does():
    x = torch.randn(B, T, D, dtype=torch.float64)
    turned = x.flip(1)
    for positions in ("none", "sinusoidal", "learned", "rotary"):
        torch.manual_seed(0)
        model = make(positions=positions).double()
        if positions == "learned":
            nn.init.normal_(model.positions.weight)
        same = torch.allclose(model(x).last, model(turned).last, atol=1e-9)
        assert same == (positions == "none"), positions


def test_dropout_falls_on_the_input_each_sub_layer_and_attention_weights():
    model = make(dropout=0.5).train()
    drawn = []

    class Count(KeyedStreams):
        def uniform(self, key, like):
            drawn.append(tuple(like.shape))
            return super().uniform(key, like)

    with Count(0).at(0):
        model(torch.randn(B, T, D))
    assert drawn == [(B, T, S)] + [(B, 2, T, T), (B, T, S), (B, T, S)] * 2


def test_unknown_positions_and_a_state_are_refused():
    with pytest.raises(ConfigError, match=r"positions=relative is not one of sinusoidal, learned, rotary, none"):
        make(positions="relative")
    with pytest.raises(ConfigError, match="carries no state"):
        make()(torch.randn(B, T, D), None, torch.zeros(1))

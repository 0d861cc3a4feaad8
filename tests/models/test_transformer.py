"""Transformer against torch.nn.TransformerEncoder with copied weights, pre- and post-norm, ragged and causal."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from assay.decoding.reorder import reorder
from assay.errors import ConfigError
from assay.layers import normalization
from assay.layers.random import KeyedStreams
from assay.models.transformer import Transformer

B, T, D, S = 4, 7, 3, 8
LENGTHS = torch.tensor([7, 4, 1, 6])


SETTINGS = {
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


def make(**changes):
    return Transformer((None, D), **{**SETTINGS, **changes})


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
    for refused in (lambda: make().start(B), lambda: make()(torch.randn(B, T, D), None, make(causal=True).start(B))):
        with pytest.raises(ConfigError, match=r"carries a state .* with model\.causal=true alone"):
            refused()


POSITIONS = ("sinusoidal", "learned", "rotary", "none")


def carrying(**changes):
    torch.manual_seed(1)
    model = make(causal=True, **changes).double().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    return model


def in_pieces(model, x, sizes, mask=None):
    state, found, start = model.start(len(x)), [], 0
    for size in sizes:
        part = slice(start, start + size)
        encoded = model(x[:, part], None if mask is None else mask[:, part], state)
        state, start = encoded.state, start + size
        found.append(encoded.states)
    return torch.cat(found, 1), state


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("changes", [{}, {"shared": True}, {"query_key_norm": True}])
def test_a_text_read_piece_by_piece(positions, norm_first, changes):
    model = carrying(positions=positions, norm_first=norm_first, **changes)
    x = torch.randn(B, T, D, dtype=torch.float64)
    whole = model(x)
    assert whole.state is None
    for sizes in ([1] * T, [4, 1, 2], [T]):
        states, _ = in_pieces(model, x, sizes)
        torch.testing.assert_close(states, whole.states, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("positions", POSITIONS)
def test_prompts_of_several_lengths_go_on_as_each_alone(positions):
    """The prompts end in padding, which later pieces neither see nor count as positions."""
    model = carrying(positions=positions)
    x, more = torch.randn(B, T, D, dtype=torch.float64), torch.randn(B, 3, D, dtype=torch.float64)
    mask = torch.arange(T) < LENGTHS.unsqueeze(1)
    state = model(x, mask, model.start(B)).state
    states = model(more[:, :2], None, state)
    last = model(more[:, 2:], torch.ones(B, 1, dtype=torch.bool), states.state)
    for b, length in enumerate(LENGTHS):
        alone = model(torch.cat([x[b : b + 1, :length], more[b : b + 1]], 1)).states[0, length:]
        torch.testing.assert_close(torch.cat([states.states[b], last.states[b]]), alone, rtol=1e-9, atol=1e-11)


def slid(model, x, window):
    """By its definition: each position read with those of its window, which starts anew at half of the last one."""
    found, first = [], 0
    for place in range(x.shape[1]):
        if place - first == window:
            first += window - window // 2
        found.append(model(x[:, first : place + 1]).states[:, -1])
    return torch.stack(found, 1)


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("window", [1, 4, 5])
def test_the_window_slides(positions, window):
    model = carrying(positions=positions, max_length=window)
    x = torch.randn(B, 17, D, dtype=torch.float64)
    expected = slid(model, x, window)
    for sizes in ([1] * 17, [17], [3, 9, 5]):
        states, state = in_pieces(model, x, sizes)
        torch.testing.assert_close(states, expected, rtol=1e-9, atol=1e-11)
        assert state.inputs.shape[1] <= window


def test_the_window_is_no_longer_than_an_example():
    def net(length):
        return Transformer((length, D), **{**SETTINGS, "causal": True, "max_length": 10}).window

    assert [net(None), net(6), net(60)] == [10, 6, 10]


def test_a_search_reorders_the_state_by_its_first_dimension():
    model = carrying(positions="rotary")
    x, more = torch.randn(B, T, D, dtype=torch.float64), torch.randn(B, 1, D, dtype=torch.float64)
    mask = torch.arange(T) < LENGTHS.unsqueeze(1)
    index = torch.tensor([2, 0, 0, 3])
    state = reorder(model(x, mask, model.start(B)).state, index)
    turned = model(more, None, state).states
    straight = model(more, None, model(x[index], mask[index], model.start(B)).state).states
    torch.testing.assert_close(turned, straight)


def test_what_is_read_without_a_state_keeps_none():
    model = carrying()
    for mode in (True, False):
        assert model.train(mode)(torch.randn(B, T, D, dtype=torch.float64)).state is None


def test_normalised_queries_and_keys_bound_the_scores():
    """However large the weights, the scores stay; without the norm attention would look at one position alone."""
    x = torch.randn(B, T, D, dtype=torch.float64)
    for norm in (False, True):
        model = carrying(query_key_norm=norm)
        before = model(x).states
        for block in model.blocks:
            block.attention.weight.data[: 2 * S] *= 100  # queries and keys
            block.attention.bias.data[: 2 * S] *= 100
        assert torch.allclose(before, model(x).states, atol=1e-4) == norm

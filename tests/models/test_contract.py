"""Every encoder of conf/model, in every form its yaml offers, meets the contract; a new one joins by itself."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from assay.contracts import Encoder
from assay.layers.random import KeyedStreams
from tests.models.encoders import B, T, batch, cases, head
from tests.options import header

EVERY = pytest.mark.parametrize("case", cases(), ids=str)
RAGGED = pytest.mark.parametrize("case", [case for case in cases() if case.ragged], ids=str)
WITH_STATE = pytest.mark.parametrize(
    "case",
    [case for case in cases() if case.ragged and case.build().eval()(*batch(case)).state is not None],
    ids=str,
)


def assert_equal(ours, theirs):
    """Up to round-off of float64, since every comparison here is made there."""
    for a, b in zip(ours, theirs, strict=True):
        if a is None or b is None:
            assert a is b
        elif isinstance(a, tuple):
            assert_equal(a, b)
        else:
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


def double(case):
    x, mask = batch(case)
    return case.build().double().eval(), x if case.counted else x.double(), mask


@EVERY
def test_shapes_and_what_the_header_gives(case):
    encoder = case.build().eval()
    x, mask = batch(case)
    encoded = encoder(x, mask)
    assert isinstance(encoder, Encoder)
    assert encoded.last.shape == (B, encoder.output_size)
    gives = header("model", case.name)["gives"]
    assert "last" in gives
    assert ("states" in gives) == (encoded.states is not None)
    if encoded.states is not None:
        assert encoded.states.shape == (B, T, encoder.output_size)


@EVERY
def test_evaluation_is_deterministic(case):
    encoder = case.build().eval()
    assert torch.equal(encoder(*batch(case)).last, encoder(*batch(case)).last)


@EVERY
def test_double_precision_computes_the_same(case):
    encoder, x, mask = double(case)
    encoded = encoder(x, mask)
    assert encoded.last.dtype == torch.float64
    single = case.build().eval()(*batch(case)).last
    torch.testing.assert_close(encoded.last.float(), single, rtol=1e-4, atol=1e-5)


@EVERY
def test_a_batch_of_one_equals_its_row(case):
    encoder, x, mask = double(case)
    whole = encoder(x, mask)
    for row in range(B):
        one = encoder(x[row : row + 1], None if mask is None else mask[row : row + 1])
        assert_equal(one[:2], [None if part is None else part[row : row + 1] for part in whole[:2]])


@RAGGED
def test_padding_changes_nothing(case):
    encoder, x, mask = double(case)
    padding = torch.zeros(B, 3, *x.shape[2:], dtype=x.dtype) + (0 if case.counted else 7.7)
    longer = encoder(torch.cat([x, padding.to(x.dtype)], 1), F.pad(mask, (0, 3)))
    encoded = encoder(x, mask)
    if encoded.states is not None:
        assert not longer.states[:, T:].any()
        longer = longer._replace(states=longer.states[:, :T])
    assert_equal(longer, encoded)


@RAGGED
def test_what_padded_positions_hold_does_not_matter(case):
    encoder, x, mask = double(case)
    hidden = ~mask if x.dim() == 2 else (~mask).unsqueeze(-1)
    assert_equal(encoder(x.masked_fill(hidden, 3), mask), encoder(x, mask))


@RAGGED
def test_states_are_zero_where_padded(case):
    encoder, x, mask = double(case)
    states = encoder(x, mask).states
    if states is not None:
        assert not states[~mask].any()
        assert states[mask].any(-1).all()


@RAGGED
def test_no_mask_means_that_all_is_valid(case):
    encoder, x, mask = double(case)
    assert_equal(encoder(x), encoder(x, torch.ones_like(mask)))


@RAGGED
def test_an_example_without_valid_positions_gives_zero(case):
    encoder, x, mask = double(case)
    mask[3] = False
    encoded = encoder(x, mask)
    assert not encoded.last[3].any()
    assert encoded.last.isfinite().all()


@WITH_STATE
def test_a_carried_state_goes_on_where_the_input_stopped(case):
    encoder, x, _ = double(case)
    whole, cut = encoder(x), 4
    first = encoder(x[:, :cut])
    second = encoder(x[:, cut:], None, first.state)
    assert_equal(second.state, whole.state)
    assert_equal([second.last], [whole.last])
    assert_equal([torch.cat([first.states, second.states], 1)], [whole.states])


@WITH_STATE
def test_a_carried_state_is_batch_first_and_that_of_the_last_valid_position(case):
    encoder, x, mask = double(case)
    state = encoder(x, mask).state
    for row in range(B):
        alone = encoder(x[row : row + 1, : int(mask[row].sum())]).state
        assert_equal(alone, tuple(part[row : row + 1] for part in state))


@pytest.mark.parametrize(
    "case",
    [case for case in cases() if case.says("causal") is True or case.says("bidirectional") is False],
    ids=str,
)
def test_what_reads_forwards_ignores_the_future(case):
    encoder, x, mask = double(case)
    for t in range(1, T):
        future = x.clone()
        future[:, t:] += 5
        for m in (None, mask):
            torch.testing.assert_close(encoder(future, m).states[:, :t], encoder(x, m).states[:, :t])


@pytest.mark.parametrize("case", [case for case in cases() if list(case.build().parameters())], ids=str)
def test_gradients_reach_every_parameter(case):
    encoder = case.build().train()
    x, mask = batch(case)
    torch.manual_seed(3)
    encoded = encoder(x, mask)
    (encoded.last * torch.randn_like(encoded.last)).sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@EVERY
def test_ten_examples_are_memorised(case):
    """In evaluation too, which of batch normalisation sees the running statistics."""
    encoder = case.build().train()
    out = head(encoder)
    x, mask = batch(case)
    if case.kind == "ids":  # a text of one token cannot be told from another with the same one
        x[1, 0] = 39
    label = torch.arange(B) % 3
    optimizer = torch.optim.Adam([*encoder.parameters(), *out.parameters()], lr=0.003)
    for _ in range(400):
        loss = F.cross_entropy(out(encoder(x, mask).last), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss < 0.05:
            remembered = torch.equal(out(encoder.eval()(x, mask).last).argmax(1), label)
            encoder.train()
            if remembered:
                return
    raise AssertionError(f"the loss is {loss.item():.3f}")


@EVERY
def test_a_state_dict_brings_the_function_back(case):
    encoder = case.build(seed=0).train()
    x, mask = batch(case)
    encoder(x, mask)  # moves running statistics
    other = case.build(seed=1)
    other.load_state_dict(encoder.state_dict())
    assert torch.equal(other.eval()(x, mask).last, encoder.eval()(x, mask).last)


@pytest.mark.parametrize("case", [case for case in cases() if case.says("dropout") is not None], ids=str)
def test_dropout_is_keyed_and_silent_in_evaluation(case):
    dropping = type(case)(case.name, case.kind, (*case.overrides, "model.dropout=0.5"))
    encoder, (x, mask) = dropping.build().train(), batch(case)

    def at(step):
        with KeyedStreams(0).at(step):
            return encoder(x, mask).last

    assert torch.equal(at(0), at(0))
    assert not torch.allclose(at(0), at(1))
    torch.testing.assert_close(dropping.build().eval()(x, mask).last, case.build().eval()(x, mask).last)

"""Keyed draws: what they depend on, that they are uniform, and splitmix64 in plain Python."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from assay.data.share import Part
from assay.errors import ConfigError
from assay.layers.random import Dropout, KeyedStreams, example_uniform, mix, name_key, name_layers, order
from tests.references.splitmix64 import uniform


def dropped(layer, x, seed=0, step=0, micro=0):
    with KeyedStreams(seed).at(step, micro):
        return layer(x)


@pytest.fixture
def layers():
    network = nn.Sequential(Dropout(0.3), Dropout(0.3))
    name_layers(network)
    return network.train()


def test_the_same_seed_layer_and_step_draw_the_same_mask(layers):
    x = torch.ones(50, 40)
    assert torch.equal(dropped(layers[0], x, 3, 5), dropped(layers[0], x, 3, 5))


@pytest.mark.parametrize(
    "other", [{"seed": 4}, {"step": 6}, {"micro": 1}, {"layer": 1}], ids=["seed", "step", "micro", "layer"]
)
def test_another_seed_step_micro_batch_or_layer_draws_another_mask(layers, other):
    x = torch.ones(50, 40)
    keys = {"layer": 0, "seed": 3, "step": 5, "micro": 0}
    there = {**keys, **other}
    first, second = (dropped(layers[k.pop("layer")], x, **k) for k in (keys, there))
    agreement = ((first == 0) == (second == 0)).float().mean()
    assert 0.5 < agreement < 0.66  # independent masks agree with probability 0.3² + 0.7² = 0.58


def test_a_layer_used_twice_in_a_pass_draws_twice_and_a_new_pass_starts_over(layers):
    x = torch.ones(50, 40)
    streams = KeyedStreams(0)
    with streams.at(1):
        first, second = layers[0](x), layers[0](x)
    with streams.at(1):
        again = layers[0](x)
    assert not torch.equal(first, second)
    assert torch.equal(first, again)


def test_dropout_keeps_the_rate_and_the_expectation(layers):
    y = dropped(layers[0], torch.full((1000, 300), 2.0))
    assert (y == 0).float().mean() == pytest.approx(0.3, abs=0.003)
    assert y.mean() == pytest.approx(2.0, abs=0.02)
    assert torch.allclose(y[y != 0], torch.tensor(2.0 / 0.7))


def test_dropout_is_the_identity_in_evaluation_and_at_zero():
    x = torch.randn(4, 5)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0).train()(x) is x


def test_dropout_passes_gradients_of_kept_entries_only(layers):
    x = torch.ones(6, 7, requires_grad=True)
    y = dropped(layers[0], x)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())


@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5])
def test_a_rate_that_is_no_probability_is_refused(p):
    with pytest.raises(ConfigError, match=r"is not a probability in \[0, 1\)"):
        Dropout(p)


def test_drawing_outside_of_streams_is_a_bug():
    with pytest.raises(RuntimeError, match="with streams"):
        Dropout(0.5).train()(torch.ones(2))


def test_keys_follow_names():
    network = nn.ModuleDict({"a": Dropout(0.1), "b": nn.Sequential(Dropout(0.1))})
    name_layers(network)
    assert network["a"].key == name_key("a")
    assert network["b"][0].key == name_key("b.0")


def test_order_is_a_permutation_of_its_seed_and_epoch():
    orders = [order(seed, epoch, 500) for seed, epoch in [(0, 0), (0, 1), (1, 0), (0, 0)]]
    for permutation in orders:
        assert sorted(permutation.tolist()) == list(range(500))
    assert torch.equal(orders[0], orders[3])
    assert not torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])


def test_example_uniform_is_splitmix64():
    index = torch.tensor([0, 1, 2, 63, 1000, 123456789, 2**40 + 7])
    drawn = example_uniform(7, 3, index, "flip")
    start = mix(7, name_key("flip"), 3)
    assert drawn.tolist() == [uniform(start, i) for i in index.tolist()]


def test_example_uniform_is_uniform_and_independent_of_the_batch():
    drawn = example_uniform(0, 0, torch.arange(100_000), "a")
    counts = torch.histc(drawn.float(), bins=20, min=0, max=1)
    assert (counts - 5000).abs().max() < 5 * 5000**0.5  # five deviations of a bin's count
    assert torch.corrcoef(torch.stack([drawn[:-1], drawn[1:]]))[0, 1].abs() < 0.015
    other = example_uniform(0, 0, torch.arange(100_000), "b")
    assert torch.corrcoef(torch.stack([drawn, other]))[0, 1].abs() < 0.015
    assert example_uniform(0, 0, torch.tensor([77]), "a")[0] == drawn[77]
    assert example_uniform(0, 1, torch.tensor([77]), "a")[0] != drawn[77]


def test_mix_spreads_neighbours():
    seeds = {mix(a, b, c) for a in range(10) for b in range(10) for c in range(10)}
    assert len(seeds) == 1000
    assert all(0 <= seed < 2**63 for seed in seeds)
    flips = [bin(mix(0, k) ^ mix(0, k + 1)).count("1") for k in range(200)]
    assert 28 < sum(flips) / len(flips) < 35  # half of 63 bits


def test_streams_within_streams_give_back_the_outer_ones(layers):
    x = torch.ones(50, 40)
    outer, inner = KeyedStreams(0), KeyedStreams(1)
    with outer.at(1):
        first = layers[0](x)
        with inner.at(1):
            layers[0](x)
        with outer:  # entered again, it goes on counting: a layer is not given its first draw twice
            second = layers[0](x)
        third = layers[0](x)
    with outer.at(1):
        expected = [layers[0](x) for _ in range(3)]
    assert all(torch.equal(a, b) for a, b in zip((first, second, third), expected, strict=True))
    assert not torch.equal(first, second)
    with pytest.raises(RuntimeError, match="with streams"):
        layers[0](x)


def test_streams_end_with_an_exception(layers):
    with pytest.raises(ZeroDivisionError), KeyedStreams(0):
        raise ZeroDivisionError
    with pytest.raises(RuntimeError, match="with streams"):
        layers[0](torch.ones(2))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_drops_with_the_same_probability(dtype):
    """bfloat16 has 256 numbers in [0, 1), which would make 0.001 four times as likely."""
    layer = Dropout(0.001).train()
    y = dropped(layer, torch.ones(2_000_000, dtype=dtype))
    assert y.dtype == dtype
    assert float((y == 0).double().mean()) == pytest.approx(0.001, rel=0.1)


def test_a_part_of_a_batch_gets_its_rows_of_the_draw():
    """Rows alone and rows folded with heads; a tensor that is no batch, as a weight, is drawn the same everywhere."""
    streams = KeyedStreams(3)

    def draw(shape, rank=None):
        whole = None
        if rank is not None:
            rows = Part(rank, 2).rows(5)
            whole = partial(Part(rank, 2).share(5).whole, own=rows.stop - rows.start)
        with streams.at(7, whole=whole):
            return streams.uniform(1, torch.empty(shape))

    for heads in (1, 3):
        parts = [draw((2 * heads, 4), 0), draw((3 * heads, 4), 1)]
        assert torch.equal(torch.cat(parts), draw((5 * heads, 4)))
    assert torch.equal(draw((7, 4), 0), draw((7, 4)))

"""Fitting grids: against NumPy loops, torch's fake quantisation and torchao."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from assay.compression.grids import channel_axis, quantizable, range_grid, weight_grid
from tests.references import quantization as reference

GENERATOR = torch.Generator().manual_seed(3)
WEIGHT = torch.randn(6, 4, 3, 3, generator=GENERATOR) * torch.logspace(-3, 2, 6).view(6, 1, 1, 1)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("bits", [8, 4])
def test_channels_equal_the_loop(axis, bits):
    ours = weight_grid(WEIGHT, axis, bits).round(WEIGHT)
    np.testing.assert_array_equal(ours.numpy(), reference.channels(WEIGHT.numpy(), axis, bits))


@pytest.mark.parametrize("size", [1, 5, 12, 36, 100])
def test_groups_equal_the_loop(size):
    ours = weight_grid(WEIGHT, 0, 4, size).round(WEIGHT)
    np.testing.assert_array_equal(ours.flatten(1).numpy(), reference.groups(WEIGHT.flatten(1).numpy(), 4, size))


def test_torchs_fake_quantisation_gives_the_same_numbers():
    grid = weight_grid(WEIGHT, 0)
    theirs = torch.fake_quantize_per_channel_affine(WEIGHT, grid.scale, grid.zero_point.int(), 0, *grid.limits)
    assert torch.equal(grid.round(WEIGHT), theirs)
    x = torch.randn(500, generator=GENERATOR) * 3 + 1
    whole = range_grid(x.min(), x.max())
    theirs = torch.fake_quantize_per_tensor_affine(x, whole.scale, whole.zero_point.int(), 0, 255)
    assert torch.equal(whole.round(x), theirs)


@pytest.mark.filterwarnings("ignore")  # torchao's own
def test_torchao_gives_the_same_integers_of_a_linear_layer():
    quantization = pytest.importorskip("torchao.quantization")
    qat = pytest.importorskip("torchao.quantization.qat")
    layer = nn.Linear(64, 32)
    weight = layer.weight.detach().clone()
    quantization.quantize_(layer, quantization.Int8WeightOnlyConfig(set_inductor_config=False))
    grid = weight_grid(weight, 0)
    assert torch.equal(grid.scale, layer.weight.scale.flatten())
    assert torch.equal(grid.integers(weight), layer.weight.qdata)
    for bits, kind in ((8, torch.int8), (4, torch.int4)):
        fake = qat.fake_quantizer.IntxFakeQuantizer(qat.IntxFakeQuantizeConfig(kind, "per_channel", is_symmetric=True))
        assert torch.equal(weight_grid(weight, 0, bits).round(weight), fake(weight))


def test_the_least_squared_error_is_the_least_of_those_tried():
    generator = torch.Generator().manual_seed(0)
    heavy = torch.randn(8, 2000, generator=generator)
    plain, best = weight_grid(heavy, 0, 4), weight_grid(heavy, 0, 4, fit="mse")

    def error(scale):
        return ((heavy * (1 / scale[:, None])).round().clamp(-8, 7) * scale[:, None] - heavy).square().sum(1)

    tried = torch.stack([error(plain.scale * (1 - 0.02 * step)) for step in range(31)])
    torch.testing.assert_close(error(best.scale), tried.min(0).values)
    assert bool((error(best.scale) < error(plain.scale)).all())


def test_zeros_stay_zeros_and_a_channel_of_nothing_but_them_is_exact():
    sparse = WEIGHT.clone()
    sparse[2] = 0
    sparse[0, 1] = 0
    for grid in (weight_grid(sparse, 0), weight_grid(sparse, 0, 4, 8, "mse")):
        assert torch.equal(grid.round(sparse)[2], sparse[2])
        assert not grid.round(sparse)[0, 1].any()
        assert bool((grid.scale > 0).all())
    tiny = weight_grid(torch.full((1, 4), 1e-44), 0)
    assert torch.isfinite(tiny.round(torch.full((1, 4), 1e-44))).all()


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.0, 1.5), (0.5, 2.0), (-2.0, -1.0), (0.0, 0.0)])
def test_ranges_hold_zero_exactly(low, high):
    grid = range_grid(torch.tensor(low), torch.tensor(high))
    if low != high:
        scale, zero = reference.asymmetric(low, high)
        assert float(grid.scale) == pytest.approx(float(scale), rel=1e-7)
        assert int(grid.zero_point) == zero
        x = torch.linspace(low, high, 97)
        np.testing.assert_allclose(grid.round(x).numpy(), reference.rounded(x.numpy(), low, high), rtol=1e-6, atol=1e-7)
    assert float(grid.round(torch.tensor(0.0))) == 0


def test_what_is_quantised_of_a_network():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 3)
            self.up = nn.ConvTranspose2d(8, 4, 3)
            self.norm = nn.BatchNorm2d(8)
            self.rnn = nn.LSTM(8, 5)
            self.words = nn.Embedding(11, 6)
            self.place = nn.Parameter(torch.randn(1, 7, 6))
            self.short = nn.Linear(3, 9, bias=False)  # three weights to a scale
            self.again = self.words

    net = Net()
    assert quantizable(net) == {
        "place": 1, "conv.weight": 0, "up.weight": 1, "rnn.weight_ih_l0": 0, "rnn.weight_hh_l0": 0,
        "words.weight": 0, "again.weight": 0,
    }  # fmt: skip
    assert channel_axis("up.weight", net, net.up.weight) == 1


def test_a_layer_of_one_output_is_rounded_too():
    """The head of two classes or of a number: one row, one scale."""
    network = nn.Sequential(nn.Linear(30, 1), nn.Conv2d(3, 1, 3))
    assert quantizable(network) == {"0.weight": 0, "1.weight": 0}
    assert weight_grid(network[0].weight, 0).scale.shape == (1,)

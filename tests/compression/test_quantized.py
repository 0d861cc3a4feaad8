"""Grids: integers and the numbers they stand for."""

from __future__ import annotations

import pytest
import torch

from assay.compression.quantized import Grid, pack, unpack
from tests.references import quantization as reference


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 5), (2, 3, 3, 3)])
def test_four_bit_integers_are_packed_two_to_a_byte_and_come_back(shape):
    generator = torch.Generator().manual_seed(0)
    integers = torch.randint(-8, 8, shape, generator=generator).to(torch.int8)
    packed = pack(integers)
    assert packed.dtype == torch.uint8
    assert packed.tolist() == reference.nibbles(integers.flatten().tolist())
    assert torch.equal(unpack(packed, integers.shape), integers)


def test_every_integer_survives_the_way_to_a_real_number_and_back():
    generator = torch.Generator().manual_seed(0)
    scale = torch.rand(2000, generator=generator) * 10.0 ** torch.randint(-30, 30, (2000,), generator=generator)
    for zero in (torch.zeros(2000, dtype=torch.int8), torch.full((2000,), 131, dtype=torch.uint8)):
        grid = Grid(scale, zero, axis=0)
        least, most = grid.limits
        every = torch.arange(least, most + 1).to(zero.dtype).expand(2000, -1)
        reals = grid.reals(every)
        assert torch.equal(grid.integers(reals), every)
        assert torch.equal(grid.round(reals), reals)


def test_rounding_is_cut_off_and_halves_go_to_even():
    grid = Grid(torch.tensor(0.5), torch.tensor(10, dtype=torch.uint8))
    x = torch.tensor([-100.0, -5.0, 0.0, 0.25, 0.75, 1000.0])
    assert grid.integers(x).tolist() == [0, 0, 10, 10, 12, 255]
    assert grid.round(x).tolist() == [-5.0, -5.0, 0.0, 0.0, 1.0, 122.5]
    four = Grid(torch.tensor(1.0), torch.tensor(0, dtype=torch.int8), bits=4)
    assert four.integers(torch.tensor([-20.0, 20.0])).tolist() == [-8, 7]


def test_groups_lie_within_the_channels_of_any_axis():
    """Channels along the second dimension, groups of 4 over the rest flattened, the last of two."""
    weight = torch.arange(2 * 3 * 5, dtype=torch.float32).view(2, 3, 5)
    scale = torch.arange(1, 10, dtype=torch.float32).view(3, 3)
    wide = Grid(scale, torch.zeros(3, 3, dtype=torch.int8), 4, axis=1, group_size=4).spread(scale, weight.shape)
    for channel in range(3):
        flat = wide[:, channel].flatten().tolist()
        assert flat == [float(scale[channel, place // 4]) for place in range(10)]

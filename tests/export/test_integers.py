"""Integers of weights as ONNX wants them: packed as its reference unpacks them, scales along their axis."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.compression.grids import weight_grid
from assay.export.integers import compact, pack

onnx = pytest.importorskip("onnx", reason="the extra export is not installed")


def test_four_bits_unpack_in_onnxs_own_reading():
    values = np.random.default_rng(0).integers(-8, 8, (3, 5))
    tensor = onnx.helper.make_tensor("x", onnx.TensorProto.INT4, [3, 5], pack(values.astype(np.float32)), raw=True)
    assert np.array_equal(onnx.numpy_helper.to_array(tensor).astype(int), values)


@pytest.mark.parametrize(
    ("shape", "axis", "group", "moved"),
    [
        ((6, 8), 0, None, (0, 1)),
        ((6, 8), 0, None, (1, 0)),
        ((8, 6), 1, None, (0, 1)),
        ((6, 64), 0, 32, (0, 1)),
        ((6, 64), 0, 32, (1, 0)),
        ((6, 70), 0, 32, (0, 1)),
        ((4, 3, 2, 5), 0, None, (0, 1, 2, 3)),
    ],
)
def test_scales_spread_over_a_weight_are_found_again(shape, axis, group, moved):
    """Whatever DequantizeLinear makes of them is what was spread: each entry's scale by its own formula."""
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    grid = weight_grid(weight, axis, 4 if group else 8, group)
    spread = grid.spread(grid.scale, weight.shape).expand_as(weight).permute(moved).contiguous().numpy()
    found_axis, block, scale = compact(spread)
    assert scale is not None
    for place in np.ndindex(spread.shape):
        if scale.ndim == 0:
            assert scale == spread[place]
        elif not block:
            assert scale[place[found_axis]] == spread[place]
        else:
            assert scale[tuple(at // block if a == found_axis else at for a, at in enumerate(place))] == spread[place]
    assert scale.size <= grid.scale.numel()


def test_scales_without_an_order_are_said_to_have_none():
    assert compact(np.random.default_rng(0).random((4, 5)).astype(np.float32))[2] is None

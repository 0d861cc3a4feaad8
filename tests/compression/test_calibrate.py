"""Ranges from examples."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from assay.compression.calibrate import BINS, Seen, calibrate
from assay.compression.grids import range_grid

GENERATOR = torch.Generator().manual_seed(0)
BATCHES = [torch.randn(40, 6, generator=GENERATOR), torch.randn(40, 6, generator=GENERATOR) * 2]


def seen():
    one = Seen()
    for batch in BATCHES:
        one.widen(batch)
    for batch in BATCHES:
        one.count(batch)
    return one


def test_counts_are_numpys_histogram():
    every = torch.cat(BATCHES).flatten().numpy().astype(np.float64)
    counts, _ = np.histogram(every, BINS, (every.min(), every.max()))
    ours = seen().counts.numpy()
    assert ours.sum() == every.size
    assert np.abs(ours.cumsum() - counts.cumsum()).max() <= 2  # float32 edges


def test_each_range_is_what_it_says():
    every = torch.cat(BATCHES).flatten()
    one = seen()
    assert float(one.grid("minmax", 0).scale) == float(range_grid(every.min(), every.max()).scale)
    for percentile in (99.0, 90.0):
        grid = one.grid("percentile", percentile)
        low, high = np.percentile(every.numpy(), [100 - percentile, percentile])
        assert float(grid.scale) * 255 == pytest.approx(high - low, rel=0.05)
    outlier = Seen()
    many = torch.cat([torch.randn(20000, generator=GENERATOR).clamp(-3, 3), torch.tensor([60.0])])
    outlier.widen(many)
    outlier.count(many)
    best, plain = outlier.grid("mse", 0), outlier.grid("minmax", 0)
    shares = [1 - 0.01 * step for step in range(91)]
    errors = [float((range_grid(outlier.low * s, outlier.high * s).round(many) - many).square().sum()) for s in shares]
    assert float((best.round(many) - many).square().sum()) <= min(errors) * 1.02
    assert float(best.scale) < float(plain.scale)


def test_a_layer_that_reads_nothing_has_no_grid_and_the_network_is_left_as_it_was():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle = nn.Linear(6, 3), nn.Linear(6, 3)

        def forward(self, batch):
            return self.used(batch["source"]) + batch["source"] @ self.idle.weight.T

    net = Net()
    found = calibrate(net, lambda: [{"source": x} for x in BATCHES], "mse", 99.0)
    assert set(found) == {"used"}
    assert found["used"].zero_point.dtype == torch.uint8
    assert not net.used._forward_pre_hooks

"""Batch normalisations folded away: the same outputs, weights still on their grids, and none where it cannot be."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from assay.compression.quantized import Grid
from assay.export.fold import Affine, folded
from assay.export.whole import example
from tests.export.built import built

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


@pytest.mark.parametrize("case", [("image", "model=resnet"), ("image", "model=student"), ("table", "model=highway")])
@pytest.mark.parametrize("quantization", [None, "int8", "static", "int4", "fp16"])
def test_outputs_stay_and_weights_stay_on_their_grids(case, quantization):
    artifact = built(*case, "normalization=batch", quantization=quantization)
    found = artifact.quantization
    grids = {} if found is None else found.weights
    (source,) = example(artifact, 4, 1)
    before = {name: value.clone() for name, value in artifact.network.state_dict().items()}
    network, moved = folded(artifact.network, {"source": source}, grids, keep=quantization == "fp16")
    assert not any(isinstance(module, NORMS) for module in network.modules())
    affine = any(isinstance(module, Affine) for module in network.modules())
    if quantization in ("int4", "fp16"):  # groups' scales and sixteen bits take no factor
        assert affine
    if quantization is None:
        assert not affine
    with torch.no_grad():
        expected = artifact.network({"source": source}).logits
        far = 0.03 if quantization == "static" else 1e-3  # a sum at the edge of a step may round to the next one
        torch.testing.assert_close(network({"source": source}).logits, expected, rtol=far, atol=far)
    for name, grid in moved.items():
        weight = network.get_parameter(name)
        assert torch.equal(grid.reals(grid.integers(weight)), weight)
        if quantization in ("int8", "static"):
            old = grids[name].integers(artifact.network.get_parameter(name))
            assert torch.equal(grid.integers(weight).abs(), old.abs())  # integers change their sign at most
    after = artifact.network.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_a_normalisation_of_something_else_stays_an_affine_map():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.norm = nn.Linear(3, 3), nn.BatchNorm1d(3)

        def forward(self, batch):
            return self.norm(self.linear(batch["source"]) + batch["source"])

    network = Sum().eval()
    network.norm.running_var.fill_(4.0)
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    found, _ = folded(network, {"source": x}, {})
    assert isinstance(found.norm, Affine)
    torch.testing.assert_close(found({"source": x}), network({"source": x}))


def test_the_lowest_integer_does_not_change_its_sign():
    """-128 has no opposite among eight bits: where γ is negative there, the normalisation stays, as an affine map."""
    network = nn.Sequential(nn.Linear(2, 2, bias=False), nn.BatchNorm1d(2)).eval()
    grid = Grid(torch.full((2,), 0.01), torch.zeros(2, dtype=torch.int8), 8, 0)

    class Reads(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network

        def forward(self, batch):
            return self.inner(batch["source"])

    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    for lowest, affine in ((-128, True), (-127, False)):
        with torch.no_grad():
            network[0].weight.copy_(torch.tensor([[lowest, 3], [4, 5]]) * 0.01)
            network[1].weight.copy_(torch.tensor([-1.5, 0.5]))
        found, _ = folded(Reads(), {"source": x}, {"inner.0.weight": grid})
        assert isinstance(found.inner[1], Affine) == affine
        torch.testing.assert_close(found({"source": x}), network(x))

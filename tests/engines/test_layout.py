"""The order of maps in memory changes how sums round and nothing else."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from assay.engines import checkpoint
from assay.engines.layout import lay_out
from assay.state import capture, restore


def net():
    return nn.Sequential(
        nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 4, 2), nn.Flatten(), nn.Linear(36, 2)
    )


def in_order(module):
    return [p.is_contiguous() for p in module.parameters() if p.dim() == 4]


def test_the_same_function_and_gradients():
    ours = net().double()
    theirs = copy.deepcopy(ours)
    lay_out(ours, "auto", "cpu", "32-true")
    assert in_order(ours) == [False, False]
    x = torch.randn(7, 3, 6, 6, dtype=torch.float64)
    for one in (ours, theirs):
        one(x).square().sum().backward()
    for own, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(own.grad, other.grad)


@pytest.mark.parametrize(
    ("wanted", "device", "precision", "sharded", "changed"),
    [
        ("auto", "cpu", "32-true", False, True),
        ("auto", "cuda", "bf16-mixed", False, True),
        ("auto", "cuda", "16-mixed", False, True),
        ("auto", "cuda", "32-true", False, False),
        ("auto", "cpu", "32-true", True, False),
        ("never", "cpu", "32-true", False, False),
    ],
)
def test_where_it_is_faster(wanted, device, precision, sharded, changed):
    one = net()
    lay_out(one, wanted, device, precision, sharded=sharded)
    assert all(order != changed for order in in_order(one))


def test_a_network_without_images_keeps_its_order():
    one = nn.Sequential(nn.Linear(3, 4), nn.Conv1d(4, 4, 3))
    lay_out(one, "auto", "cpu", "32-true")
    assert all(p.is_contiguous() for p in one.parameters())


def test_a_fused_optimizer_goes_on_as_if_it_had_not_stopped(tmp_path):
    """Its kernel pairs a weight with its moments by their place in memory, which a file does not keep."""
    x = torch.randn(7, 3, 6, 6)

    def made():
        torch.manual_seed(0)
        one = net()
        lay_out(one, "auto", "cpu", "32-true")
        return one, torch.optim.Adam(one.parameters(), 0.1, fused=True)

    def step(one, optimizer):
        optimizer.zero_grad()
        one(x).square().sum().backward()
        optimizer.step()

    whole, optimizer = made()
    step(whole, optimizer)
    state = capture(whole, nn.Module(), optimizer, {})
    checkpoint.write(tmp_path / "a.ckpt", state, {})
    step(whole, optimizer)
    second, again = made()
    restore(checkpoint.read(tmp_path / "a.ckpt")[0], second, nn.Module(), again, {})
    step(second, again)
    for own, other in zip(whole.parameters(), second.parameters(), strict=True):
        assert torch.equal(own, other)

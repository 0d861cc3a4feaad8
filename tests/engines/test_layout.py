"""The order of maps in memory changes how sums round and nothing else."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from assay.engines.layout import lay_out


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

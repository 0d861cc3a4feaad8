"""Clipping against loops, in place, and without waiting for the device."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from assay.optim.clip import ClipNorm, ClipValue
from tests.references.optimizers import clip_norm


def parameters(scale):
    made = [torch.zeros(3, 2, requires_grad=True), torch.zeros(4, requires_grad=True), torch.zeros(1)]
    for parameter in made[:2]:
        parameter.grad = torch.randn(parameter.shape) * scale
    return made


def grads(made):
    return [g for p in made if p.grad is not None for g in p.grad.flatten().tolist()]


@pytest.mark.parametrize("scale", [0.01, 10.0])
def test_norm(scale):
    made = parameters(scale)
    expected, norm = clip_norm(grads(made), 1.5)
    kept = [p.grad for p in made]
    returned = ClipNorm(1.5)(made)
    assert grads(made) == pytest.approx(expected, rel=1e-5)
    assert float(returned) == pytest.approx(norm, rel=1e-5)
    assert all(p.grad is g for p, g in zip(made, kept, strict=True))
    assert made[2].grad is None


@pytest.mark.parametrize("scale", [0.01, 10.0])
def test_value(scale):
    made = parameters(scale)
    expected = [min(max(g, -0.3), 0.3) for g in grads(made)]
    assert ClipValue(0.3)(made) is None
    assert grads(made) == pytest.approx(expected)


class Unread(TorchDispatchMode):
    """Nothing may wait for the device: reading a number off a tensor is one operation, and refused here."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert "_local_scalar_dense" not in str(func), "a tensor was read"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("clip", [ClipNorm(1.0), ClipValue(1.0)])
def test_nothing_is_read_back_from_the_device(clip):
    with Unread():
        clip(parameters(1.0))
    with pytest.raises(AssertionError, match="a tensor was read"), Unread():
        torch.ones(1).item()

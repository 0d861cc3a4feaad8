"""Positions against the papers' formulas, number by number."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.errors import ConfigError
from assay.layers.positions import Learned, Rotary, Sinusoidal
from tests.references import attention as reference


@pytest.mark.parametrize("size", [8, 7])
@pytest.mark.parametrize("length", [5, 12])
def test_sinusoidal(size, length):
    x = torch.randn(2, length, size)
    y = Sinusoidal(size, length=8)(x)  # 12 positions are more than it keeps ready
    np.testing.assert_allclose((y - x).numpy(), np.stack([reference.sinusoids(length, size)] * 2), atol=1e-6)


@pytest.mark.parametrize("length", [5, 12])
def test_rotary(length):
    x = torch.randn(2, 3, length, 6)
    y = Rotary(6, length=8)(x)
    expected = [[reference.rotate(head.double().numpy()) for head in example] for example in x]
    np.testing.assert_allclose(y.numpy(), np.array(expected), atol=1e-5)


def test_rotary_scores_depend_on_distance_alone():
    rotary = Rotary(8)
    query, key = torch.randn(8).expand(1, 1, 10, 8), torch.randn(8).expand(1, 1, 10, 8)
    scores = (rotary(query) @ rotary(key).transpose(-2, -1))[0, 0]
    for distance in range(-9, 10):
        diagonal = scores.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), atol=1e-4, rtol=1e-4)


def test_rotary_refuses_odd_heads():
    with pytest.raises(ConfigError, match=r"each head has 5 features: use a model\.size that is an even multiple"):
        Rotary(5)


def test_learned_adds_its_rows_and_refuses_longer_inputs():
    learned = Learned(4, max_length=6)
    x = torch.randn(2, 5, 4)
    torch.testing.assert_close(learned(x), x + learned.weight[:5])
    with pytest.raises(ConfigError, match=r"knows 6 positions and an input has 7: raise model\.max_length"):
        learned(torch.randn(2, 7, 4))


def test_learned_starts_small():
    torch.manual_seed(0)
    assert float(Learned(64, max_length=100).weight.detach().std()) == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_tells_late_positions_apart(dtype):
    """bfloat16 counts 256, 256, 258: angles are computed in float64, and rounded last."""
    x = torch.zeros(1, 700, 8, dtype=dtype)
    for length in (700, 8):  # kept ready, and as they come
        y = Sinusoidal(8, length).to(dtype)(x)[0]
        np.testing.assert_allclose(y.double().numpy(), reference.sinusoids(700, 8), atol=4e-3)
        turned = Rotary(8, length).to(dtype)(torch.ones(1, 1, 700, 8, dtype=dtype))[0, 0]
        np.testing.assert_allclose(turned.double().numpy(), reference.rotate(np.ones((700, 8))), atol=2e-2)

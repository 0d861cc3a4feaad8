"""What sampling keeps against NumPy, and how often it draws what against the distribution."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.decoding.greedy import greedy
from assay.decoding.sample import Sample
from assay.errors import ConfigError
from tests.references import decoding as reference

LOGITS = torch.tensor([[2.0, -1.0, 0.5, 0.5, 3.0, -4.0, 0.5], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 9.0]])


def distribution(sample, logits):
    probabilities, tokens = sample.kept(logits)
    return probabilities if tokens is None else torch.zeros_like(probabilities).scatter(1, tokens, probabilities)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("top_k", [None, 1, 4, 100])
@pytest.mark.parametrize("top_p", [1e-9, 0.5, 0.9, 1.0])
def test_what_is_kept(temperature, top_k, top_p):
    found = distribution(Sample(temperature, top_k, top_p), LOGITS)
    for row, logits in enumerate(LOGITS.numpy()):
        expected = reference.kept(logits, temperature, top_k, top_p)
        assert (found[row].numpy() > 0).tolist() == (expected > 0).tolist()
        np.testing.assert_allclose(found[row].numpy(), expected, rtol=1e-12)


def test_the_nucleus_is_the_least_set_that_reaches_p():
    """0.5, 0.3, 0.2: the sum of the first is p at 0.5, so nothing is added; a hair above, the second is."""
    logits = torch.tensor([[0.5, 0.3, 0.2]], dtype=torch.float64).log()
    sizes = [int((distribution(Sample(top_p=p), logits) > 0).sum()) for p in (0.3, 0.49, 0.51, 0.79, 0.81)]
    assert sizes == [1, 1, 2, 2, 3]


@pytest.mark.parametrize("settings", [{}, {"temperature": 2.0}, {"top_k": 3}, {"top_p": 0.8}])
def test_frequencies(settings):
    """Chi-square of 20,000 draws of one position and of one row at 20,000 positions; 22.5 is its 0.1 % point at 6
    degrees of freedom."""
    sample, count = Sample(**settings, seed=7), 20_000
    expected = distribution(sample, LOGITS[:1])[0].numpy() * count
    many = sample(LOGITS[:1].expand(count, -1), 0)
    long = torch.cat([sample(LOGITS[:1], position) for position in range(2000)])
    for drawn in (many, long):
        scale = len(drawn) / count
        counts = np.bincount(drawn.numpy(), minlength=LOGITS.shape[1])
        assert not counts[expected == 0].any()
        there = expected > 0
        assert ((counts[there] - scale * expected[there]) ** 2 / (scale * expected[there])).sum() < 22.5


def test_towards_zero_the_likeliest_alone():
    logits = torch.randn(50, 30)
    assert torch.equal(Sample(1e-6)(logits, 0), greedy(logits, 0))
    assert torch.equal(Sample(top_k=1)(logits, 0), greedy(logits, 0))


def test_a_row_draws_the_same_whatever_stands_beside_it():
    logits = torch.randn(6, 40)
    for sample in (Sample(seed=3), Sample(top_p=0.7, seed=3)):
        together = torch.stack([sample(logits, position) for position in range(8)])
        fewer = torch.stack([sample(logits[:2], position) for position in range(8)])
        assert torch.equal(together[:, :2], fewer)
    assert not torch.equal(together, torch.stack([Sample(top_p=0.7, seed=4)(logits, p) for p in range(8)]))


def test_the_global_generator_is_left_alone():
    before = torch.random.get_rng_state()
    Sample()(torch.randn(2, 5, generator=torch.Generator().manual_seed(0)), 0)
    assert torch.equal(before, torch.random.get_rng_state())


def test_what_is_forbidden_is_never_drawn():
    logits = torch.zeros(5000, 3)
    logits[:, 1] = -torch.inf
    assert set(Sample()(logits, 0).tolist()) == {0, 2}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0.0}, "temperature=0 is not above 0"),
        ({"temperature": float("inf")}, "temperature=inf"),
        ({"top_k": 0}, "top_k=0 keeps no token"),
        ({"top_p": 0.0}, r"top_p=0 is not a probability in \(0, 1\]"),
        ({"top_p": 1.5}, r"top_p=1\.5 is not"),
    ],
)
def test_refusals(settings, message):
    with pytest.raises(ConfigError, match=message):
        Sample(**settings)

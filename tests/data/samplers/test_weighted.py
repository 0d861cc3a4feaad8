from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from assay.data.samplers.weighted import Weighted
from assay.errors import ConfigError
from assay.layers.random import example_uniform
from tests.references import sampling

LABEL = torch.tensor([0] * 11 + [1] * 3 + [2] * 4 + [4]).flip(0)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_draws_are_those_of_the_loop(power):
    sampler = Weighted(LABEL, 5, power)
    for epoch in range(4):
        draws = example_uniform(5, epoch, torch.arange(len(LABEL)), "weighted").numpy()
        found = sampler.positions(epoch)
        assert found.tolist() == sampling.weighted(LABEL.numpy(), power, draws)
        assert len(found) == len(sampler) == len(LABEL)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_over_many_epochs_each_example_comes_as_often_as_it_should(power):
    sampler, epochs = Weighted(LABEL, 2, power), 500
    seen = torch.bincount(torch.cat([sampler.positions(e) for e in range(epochs)]), minlength=len(LABEL)).numpy()
    wanted = sampling.shares(LABEL.numpy(), power) * epochs * len(LABEL)
    assert ((seen - wanted) ** 2 / wanted).sum() < chi2.ppf(0.999, len(LABEL) - 1)
    assert not np.allclose(wanted, wanted.mean()) or power == 0


def test_power_one_gives_every_class_the_same_share_and_one_half_square_roots():
    counts = np.array([11, 3, 4, 1])
    for power, shares in ((1.0, np.full(4, 0.25)), (0.5, np.sqrt(counts) / np.sqrt(counts).sum())):
        each = sampling.shares(LABEL.numpy(), power)
        assert np.allclose([each[LABEL.numpy() == number].sum() for number in (0, 1, 2, 4)], shares)


def test_epochs_are_functions_of_seed_and_epoch():
    one = Weighted(LABEL, 3)
    assert torch.equal(one.positions(7), Weighted(LABEL, 3).positions(7))
    assert not torch.equal(one.positions(7), one.positions(8))
    assert not torch.equal(one.positions(7), Weighted(LABEL, 4).positions(7))


def test_a_negative_power_is_refused():
    with pytest.raises(ConfigError, match="would starve the rare"):
        Weighted(LABEL, 0, -0.5)

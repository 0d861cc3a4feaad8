from __future__ import annotations

from collections import Counter

import pytest
import torch

from assay.data.samplers.oversample import Oversample
from assay.errors import ConfigError
from assay.layers.random import example_uniform, order
from tests.references import sampling

LABEL = torch.tensor([0] * 11 + [1] * 3 + [2] * 4 + [4]).flip(0)  # class 3 has none


@pytest.mark.parametrize("ratio", [1.0, 0.75, 0.3, 0.01])
def test_visits_are_those_of_the_loop(ratio):
    sampler = Oversample(LABEL, 5, ratio)
    for epoch in range(4):
        draws = example_uniform(5, epoch, torch.arange(len(LABEL)), "oversample").numpy()
        found = sampler.positions(epoch)
        assert Counter(found.tolist()) == sampling.oversampled(LABEL.numpy(), ratio, draws)
        assert len(found) == len(sampler)
        assert found.dtype == torch.int64


def test_all_classes_are_as_large_as_the_largest_and_no_example_is_left_out():
    sampler = Oversample(LABEL, 0)
    found = sampler.positions(3)
    assert torch.bincount(LABEL[found]).tolist() == [11, 11, 11, 0, 11]
    assert set(found.tolist()) == set(range(len(LABEL)))
    assert sampler.note == "44 examples an epoch, of 19"


def test_who_comes_once_more_changes_and_is_fair():
    label = torch.tensor([0] * 4 + [1] * 3)  # one of the three comes twice
    sampler, twice = Oversample(label, 1), Counter()
    for epoch in range(600):
        visits = Counter(sampler.positions(epoch).tolist())
        twice.update(position for position, count in visits.items() if count == 2)
    assert set(twice) == {4, 5, 6}
    assert sum((count - 200) ** 2 / 200 for count in twice.values()) < 13.8  # χ² of 2 degrees at 0.001


def test_epochs_are_functions_of_seed_and_epoch():
    one, other = Oversample(LABEL, 3), Oversample(LABEL, 3)
    assert torch.equal(one.positions(7), other.positions(7))
    assert torch.equal(one.positions(2), other.positions(2))  # in any order
    assert not torch.equal(one.positions(7), one.positions(8))
    assert not torch.equal(one.positions(7), Oversample(LABEL, 4).positions(7))


def test_of_classes_of_one_size_it_is_the_plain_shuffle():
    sampler = Oversample(torch.arange(12) % 3, 9)
    assert torch.equal(sampler.positions(2), order(9, 2, 12))


@pytest.mark.parametrize("ratio", [0, -1, 1.5, float("nan")])
def test_a_ratio_that_is_no_share_is_refused(ratio):
    with pytest.raises(ConfigError, match="not a share of the largest class"):
        Oversample(LABEL, 0, ratio)

from __future__ import annotations

import pytest
import torch

from assay.data.samplers.undersample import Undersample
from assay.errors import ConfigError
from assay.layers.random import example_uniform, order
from tests.references import sampling

LABEL = torch.tensor([0] * 11 + [1] * 3 + [2] * 4 + [4] * 2).flip(0)


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0, 100.0])
def test_visits_are_those_of_the_loop(ratio):
    sampler = Undersample(LABEL, 5, ratio)
    for epoch in range(4):
        draws = example_uniform(5, epoch, torch.arange(len(LABEL)), "undersample").numpy()
        found = sampler.positions(epoch)
        assert len(found) == len(sampler) == len(set(found.tolist()))
        assert set(found.tolist()) == sampling.undersampled(LABEL.numpy(), ratio, draws)


def test_classes_are_as_small_as_the_smallest_and_all_examples_come_in_time():
    sampler = Undersample(LABEL, 0)
    epochs = [sampler.positions(epoch) for epoch in range(60)]
    assert all(torch.bincount(LABEL[found]).tolist() == [2, 2, 2, 0, 2] for found in epochs)
    assert torch.cat(epochs).unique().tolist() == list(range(len(LABEL)))
    assert sampler.note == "8 examples an epoch, of 20, others each time"


def test_epochs_are_functions_of_seed_and_epoch():
    one = Undersample(LABEL, 3)
    assert torch.equal(one.positions(7), Undersample(LABEL, 3).positions(7))
    assert not torch.equal(one.positions(7), one.positions(8))
    assert not torch.equal(one.positions(7), Undersample(LABEL, 4).positions(7))


def test_where_nothing_is_cut_it_is_the_plain_shuffle():
    for sampler in (Undersample(torch.arange(12) % 3, 9), Undersample(LABEL[:12], 9, 100)):
        assert torch.equal(sampler.positions(2), order(9, 2, 12))


@pytest.mark.parametrize("ratio", [0.5, 0, float("nan")])
def test_less_than_the_smallest_class_is_refused(ratio):
    with pytest.raises(ConfigError, match="less than the smallest class"):
        Undersample(LABEL, 0, ratio)

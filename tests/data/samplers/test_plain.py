from __future__ import annotations

import torch

from assay.data.samplers.plain import InOrder, Shuffled
from assay.layers.random import mix, name_key


def test_shuffled_is_the_permutation_of_seed_and_epoch_that_published_results_were_trained_in():
    sampler = Shuffled(37, 5)
    for epoch in (0, 3):
        generator = torch.Generator().manual_seed(mix(5, name_key("order"), epoch))
        assert torch.equal(sampler.positions(epoch), torch.randperm(37, generator=generator))
    assert len(sampler) == 37
    # recorded from assay.layers.random.order(0, 0, 8) of commit c340778, torch 2.15, before there were samplers
    assert Shuffled(8, 0).positions(0).tolist() == [0, 4, 2, 5, 6, 1, 7, 3]


def test_in_order_is_as_they_stand():
    assert InOrder(4).positions(9).tolist() == [0, 1, 2, 3]
    assert len(InOrder(4)) == 4

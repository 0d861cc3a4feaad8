"""Augmentations follow one another in the order in which they are listed."""

from __future__ import annotations

import torch

from assay.data.augment.chain import Chain
from assay.preflight import compose


class Plus:
    def __call__(self, batch, epoch):
        return {**batch, "source": batch["source"] + epoch}


class Double:
    mixes = True

    def __call__(self, batch, epoch):
        return {**batch, "source": batch["source"] * 2}


def test_the_order_is_that_of_the_list():
    batch = {"source": torch.ones(2)}
    assert Chain([Plus(), Double()])(batch, 3)["source"].tolist() == [8, 8]
    assert Chain([Double(), Plus()])(batch, 3)["source"].tolist() == [5, 5]


def test_one_part_that_mixes_makes_the_chain_need_whole_batches():
    assert Chain([Plus(), Double()]).mixes
    assert not Chain([Plus()]).mixes


def test_the_command_line_takes_a_list_a_single_name_or_nothing():
    assert list(compose(["augment=[mixup]"]).config["augment"]) == ["mixup"]
    assert list(compose(["augment=mixup", "augment.mixup.alpha=0.4"]).config["augment"]) == ["mixup"]
    assert not compose([]).config.get("augment")

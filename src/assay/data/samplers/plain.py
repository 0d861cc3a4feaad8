"""Every example once: in order, or shuffled anew each epoch."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.layers.random import order


class InOrder:
    """As the examples stand: for evaluation."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def positions(self, epoch: int) -> Tensor:
        return torch.arange(self.count)


class Shuffled:
    """A permutation for each epoch: what ``sampling=none`` trains on."""

    def __init__(self, count: int, seed: int) -> None:
        self.count, self.seed = count, seed

    def __len__(self) -> int:
        return self.count

    def positions(self, epoch: int) -> Tensor:
        return order(self.seed, epoch, self.count)

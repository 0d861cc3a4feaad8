"""Draws with replacement, the rarer classes more often than they stand there."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.data.samplers.classes import members
from assay.errors import ConfigError
from assay.layers.random import example_uniform


class Weighted:
    """As many draws as there are examples, with replacement: P(example) ∝ count^-power, count of its class.

    power = 1 gives every class the same share of an epoch, 1/2 shares like the square roots of the counts (Mahajan et
    al., "Exploring the Limits of Weakly Supervised Pretraining", 2018, arXiv:1805.00932, section 2), 0 leaves them as
    they are (a bootstrap sample each epoch). ``torch.utils.data.WeightedRandomSampler`` with such weights, keyed.

    Args:
        label: of the training examples, (N,) int64.
        seed: of the run.
        power: see above.
    Raises:
        ConfigError: power is negative.
    """

    def __init__(self, label: Tensor, seed: int, power: float = 1.0) -> None:
        if not power >= 0:
            raise ConfigError(f"sampling.power={power:g} is negative and would starve the rare: use 0 or more")
        self.seed, self.count = seed, len(label)
        each = torch.empty(len(label), dtype=torch.float64)
        for positions in members(label):
            each[positions] = len(positions) ** -power
        self._ends = each.cumsum(0)  # (N,): draw u falls on the first example whose end lies above it
        self.note = f"{self.count:,} draws an epoch, with replacement"

    def __len__(self) -> int:
        return self.count

    def positions(self, epoch: int) -> Tensor:
        u = example_uniform(self.seed, epoch, torch.arange(self.count), "weighted")
        found = torch.searchsorted(self._ends, u * self._ends[-1], right=True)
        return found.clamp_(max=self.count - 1)  # u * total may round up to the total

"""Random under-sampling: of the larger classes a part, another one each epoch."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.data.samplers.classes import drawn, members
from assay.errors import ConfigError
from assay.layers.random import example_uniform, order


class Undersample:
    """Of each class ⌊ratio · smallest⌋ examples, or all where it has fewer, drawn without replacement for each epoch.

    Random under-sampling as in Batista, Prati and Monard, "A Study of the Behavior of Several Methods for Balancing
    Machine Learning Training Data", 2004, section 3. Differs: theirs drops the others for good; here every epoch draws
    anew, so that over a run all examples are seen, as in the ensembles of Liu, Wu and Zhou, "Exploratory Undersampling
    for Class-Imbalance Learning", 2009.

    Args:
        label: of the training examples, (N,) int64.
        seed: of the run.
        ratio: what each class is cut down to, in sizes of the smallest.
    Raises:
        ConfigError: ratio is less than 1.
    """

    def __init__(self, label: Tensor, seed: int, ratio: float = 1.0) -> None:
        if not ratio >= 1:
            raise ConfigError(f"sampling.ratio={ratio:g} would leave less than the smallest class: use 1 or more")
        self.seed, self.count = seed, len(label)
        classes = members(label)
        most = int(ratio * min(map(len, classes)))
        self._classes = [(positions, min(len(positions), most)) for positions in classes]
        self._length = sum(kept for _, kept in self._classes)
        self.note = f"{self._length:,} examples an epoch, of {self.count:,}, others each time"

    def __len__(self) -> int:
        return self._length

    def positions(self, epoch: int) -> Tensor:
        draws = example_uniform(self.seed, epoch, torch.arange(self.count), "undersample")
        chosen = torch.cat([drawn(positions, draws, kept) for positions, kept in self._classes])
        return chosen.sort().values[order(self.seed, epoch, self._length)]

"""Some classes are never trained on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from assay.contracts import DataSpec
from assay.data.class_names import numbers
from assay.errors import ConfigError
from assay.layers.random import order


class Without:
    """Every example once an epoch but those of the classes named, which validation and test still hold.

    Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, arXiv:1503.02531, section 3: the
    threes are left out of the transfer set, and a distilled student knows them all the same. Of the student only: a
    teacher was trained before. What is fitted to the training split (scaling, vocabulary, class weights) still sees
    all of it.

    Args:
        label: of the training examples, (N,) int64.
        seed: of the run.
        spec: of the data, which names the classes.
        classes: left out, by name or by number from 0.
    Raises:
        ConfigError: there is no such class, or nothing would be left.
    """

    def __init__(self, label: Tensor, seed: int, spec: DataSpec, classes: Sequence[str]) -> None:
        names = spec.label.names
        absent = numbers(classes, names)
        self.seed = seed
        self._kept = torch.nonzero(~torch.isin(label, torch.tensor(absent)))[:, 0]  # (n,)
        if len(self._kept) == 0:
            raise ConfigError(f"sampling.classes={list(classes)} leaves no training example; name fewer classes")
        said = ", ".join(names[number] for number in absent)
        self.note = f"{len(self._kept):,} examples an epoch, of {len(label):,}, none of {said}"

    def __len__(self) -> int:
        return len(self._kept)

    def positions(self, epoch: int) -> Tensor:
        return self._kept[order(self.seed, epoch, len(self._kept))]

"""Several augmentations of one batch, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from assay.contracts import Batch


class Augmentation(Protocol):
    """``(batch, epoch) -> batch``, on the batch's device; every draw a function of (seed, epoch, example).

    A class may say ``mixes = True``: it mixes the examples of a batch with each other, so it needs whole batches.
    """

    def __call__(self, batch: Batch, epoch: int) -> Batch: ...


class Chain:
    """``parts`` in their order: ``augment=[crop,mixup]`` crops, then mixes."""

    def __init__(self, parts: Sequence[Augmentation]) -> None:
        self.parts = list(parts)
        self.mixes = any(getattr(part, "mixes", False) for part in self.parts)

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        for part in self.parts:
            batch = part(batch, epoch)
        return batch

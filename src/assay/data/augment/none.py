"""No augmentation."""

from __future__ import annotations

from assay.contracts import Batch, DataSpec


class NoAugment:
    """Batches as they are."""

    def __init__(self, spec: DataSpec, seed: int) -> None:
        pass

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        return batch

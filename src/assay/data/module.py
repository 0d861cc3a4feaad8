"""A data set as Lightning's loop takes it. The only file here that knows Lightning."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch

from assay.data.dataset import DataSet
from assay.data.examples import Examples
from assay.data.loaders import MemoryLoader, WorkerLoader, to_device
from assay.data.samplers import Sampler
from assay.data.samplers.plain import InOrder
from assay.data.share import Part
from assay.data.training import Training

Loader = MemoryLoader | WorkerLoader

_EVALUATION = 4  # times the batch: no gradients are kept


class DataModule(pl.LightningDataModule):
    """Loaders over a data set's splits.

    Args:
        dataset: set up here if it is not yet.
        seed: of the order of training examples, with the epoch.
        accumulate: micro-batches per optimiser step.
        training: what is trained on; None: every example of the training split once an epoch, all of one weight.
        part: the process whose rows the loaders of Lightning's loop give, where there are several.
        mixes: training batches are mixed within themselves, so a process needs all rows of them (augment=mixup).
    """

    def __init__(
        self,
        dataset: DataSet,
        seed: int = 0,
        accumulate: int = 1,
        training: Training | None = None,
        part: Part | None = None,
        mixes: bool = False,
    ) -> None:
        super().__init__()
        self.dataset, self.seed, self.accumulate, self.training = dataset, seed, accumulate, training
        self.part, self.mixes = part, mixes

    def setup(self, stage: str | None = None) -> None:
        self.dataset.setup()

    def loader(
        self,
        examples: Examples,
        *,
        train: bool = False,
        part: Part | None = None,
        sampler: Sampler | None = None,
        size: int | str | None = None,
    ) -> Loader:
        """Steps of training, or batches of evaluation in order; by workers where files must be decoded. Whole batches
        unless a process names its part. ``size``: of a batch, where it is another than the data set's."""
        if size is None:
            size = self.dataset.batch_size if train else self._evaluation_size()
        settings: dict[str, Any] = {
            "seed": self.seed if train else None,
            "sampler": sampler,
            "accumulate": self.accumulate if train else None,
            "part": part,
        }
        if examples.lazy:
            return WorkerLoader(examples, size, **settings, workers=self.dataset.workers)
        return MemoryLoader(examples, size, **settings)

    def _evaluation_size(self) -> int | str:
        own = getattr(self.dataset, "evaluation_batch_size", None)
        size = self.dataset.batch_size
        return own or (size if isinstance(size, str) else size * _EVALUATION)

    def train_dataloader(self) -> Loader:
        part = None if self.mixes else self.part
        if self.training is None:
            train = self.dataset.splits["train"]
            sampler = InOrder(len(train)) if getattr(self.dataset, "ordered", False) else None
            return self.loader(train, train=True, part=part, sampler=sampler)
        return self.loader(self.training.examples, train=True, part=part, sampler=self.training.sampler)

    def val_dataloader(self) -> Loader:
        return self.loader(self.dataset.splits["val"], part=self.part)

    def test_dataloader(self) -> Loader:
        return self.loader(self.dataset.splits["test"], part=self.part)

    def predict_dataloader(self) -> Loader:
        return self.test_dataloader()

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return batch if device.type == "cpu" else to_device(batch, device)

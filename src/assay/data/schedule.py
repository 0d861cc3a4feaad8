"""Which examples make which batch of which step: a sampler's visits, cut into batches."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from torch import Tensor

from assay.contracts import Batch
from assay.data.samplers import Sampler
from assay.errors import ConfigError


@dataclass(frozen=True)
class Schedule:
    """Which examples make which batch of which step.

    Args:
        sampler: which examples an epoch visits, in which order.
        batch_size: examples of a micro-batch, or "full".
        accumulate: micro-batches per optimiser step; None for evaluation, where a batch is not part of a step.
    Raises:
        ConfigError: batch_size or accumulate is less than one.
    """

    sampler: Sampler
    batch_size: int | str
    accumulate: int | None = 1

    def __post_init__(self) -> None:
        if self.batch_size != "full" and (isinstance(self.batch_size, str) or self.batch_size < 1):
            raise ConfigError(f"data.batch_size={self.batch_size} is neither a number of examples from 1 nor full")
        if self.accumulate is not None and self.accumulate < 1:
            raise ConfigError(f"accumulate={self.accumulate} is not a number of micro-batches from 1")

    def sizes(self) -> list[int]:
        """Examples of each micro-batch of an epoch.

        In training, a single example left at the end joins the batch before it: batch normalisation has no variance in
        a batch of one, and one example should not weigh as much as a batch in the average of an epoch.
        """
        count = len(self.sampler)
        size = count if isinstance(self.batch_size, str) else self.batch_size
        if count == 0:
            return []
        sizes = [size] * (count // size)
        rest = count % size
        if rest == 1 and sizes and self.accumulate is not None:
            sizes[-1] += 1
        elif rest:
            sizes.append(rest)
        return sizes

    def steps(self) -> int:
        return math.ceil(len(self.sizes()) / (self.accumulate or 1))

    def batches(self, epoch: int, start: int) -> tuple[list[int], Tensor]:
        """Sizes of the micro-batches from step ``start`` on, and their positions, joined."""
        sizes = self.sizes()
        skipped = start * (self.accumulate or 1)
        return sizes[skipped:], self.sampler.positions(epoch)[sum(sizes[:skipped]) :]

    def group(self, batches: Iterator[Batch]) -> Iterator[Any]:
        """Micro-batches -> the items of a loader: lists for training, plain batches for evaluation."""
        if self.accumulate is None:
            yield from batches
        elif self.accumulate == 1:
            for batch in batches:
                yield [batch]
        else:
            while step := list(islice(batches, self.accumulate)):
                yield step


class Epoch:
    """The epoch a loader is in. Apart from the loader, which would otherwise refer to itself and keep its worker
    processes until the next garbage collection."""

    def __init__(self) -> None:
        self.number = 0

    def set_epoch(self, epoch: int) -> None:
        self.number = epoch

"""Loaders: iterables over optimiser steps, in an order that is a function of (seed, epoch) alone.

What fits in memory is gathered from tensors in this process, once an epoch, and cut into views; what is decoded from
files comes from worker processes. Both give the same batches bit for bit, and both can start at any step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from assay.contracts import Batch
from assay.data.examples import Examples
from assay.errors import ConfigError
from assay.layers.random import order

Transform = Callable[[Batch, int], Batch]
"""(batch, epoch) -> batch, on the CPU, for each micro-batch."""

BLOCK_BYTES = 64 * 2**20  # gathered at a time: all of a small set; for a large one, memory stays bounded


@dataclass(frozen=True)
class Schedule:
    """Which examples make which batch of which step.

    Args:
        count: examples.
        batch_size: examples of a micro-batch, or "full".
        seed: of the order; None keeps the order of the examples.
        accumulate: micro-batches per optimiser step; None for evaluation, where a batch is not part of a step.
    Raises:
        ConfigError: batch_size or accumulate is less than one.
    """

    count: int
    batch_size: int | str
    seed: int | None = None
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
        size = self.count if isinstance(self.batch_size, str) else self.batch_size
        if self.count == 0:
            return []
        sizes = [size] * (self.count // size)
        rest = self.count % size
        if rest == 1 and sizes and self.accumulate is not None:
            sizes[-1] += 1
        elif rest:
            sizes.append(rest)
        return sizes

    def steps(self) -> int:
        return math.ceil(len(self.sizes()) / (self.accumulate or 1))

    def positions(self, epoch: int) -> Tensor:
        """(count,) int64 in the order of the epoch."""
        return torch.arange(self.count) if self.seed is None else order(self.seed, epoch, self.count)

    def batches(self, epoch: int, start: int) -> tuple[list[int], Tensor]:
        """Sizes of the micro-batches from step ``start`` on, and their positions, joined."""
        sizes = self.sizes()
        skipped = start * (self.accumulate or 1)
        return sizes[skipped:], self.positions(epoch)[sum(sizes[:skipped]) :]

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


class MemoryLoader:
    """Batches of examples that are held in memory.

    Each item is one optimiser step: a list of ``accumulate`` micro-batches, or a plain batch when that is None
    (evaluation). Fields of one shape are gathered once an epoch by its permutation and split into views, which costs a
    few microseconds a batch where a ``DataLoader`` fetches and stacks example by example; ragged ones by batch.

    Args:
        examples: what to visit.
        batch_size: examples of a micro-batch, or "full"; see :class:`Schedule` for the last one.
        seed: of the order, with the epoch; None visits in order.
        accumulate: micro-batches per step; None for evaluation.
        transform: (batch, epoch) -> batch.

    ``start`` is the number of steps that the next iteration skips (resume, replay); it is taken back to 0 by it.
    """

    def __init__(
        self,
        examples: Examples,
        batch_size: int | str,
        *,
        seed: int | None = None,
        accumulate: int | None = 1,
        transform: Transform | None = None,
    ) -> None:
        self.examples = examples
        self.schedule = Schedule(len(examples), batch_size, seed, accumulate)
        self.transform = transform
        self.start = 0
        self._epoch = Epoch()
        if accumulate is not None:
            # Lightning calls `loader.sampler.set_epoch`; on a loader of evaluation it takes a sampler for shuffling.
            self.sampler = self._epoch
        self._bytes = _bytes_each(examples)

    @property
    def epoch(self) -> int:
        return self._epoch.number

    def set_epoch(self, epoch: int) -> None:
        self._epoch.set_epoch(epoch)

    def __len__(self) -> int:
        return self.schedule.steps()

    def __iter__(self) -> Iterator[Any]:
        # A generator: nothing is taken until the first step, since Lightning also makes iterators that it drops.
        start, self.start = self.start, 0
        yield from self.schedule.group(self._batches(self.epoch, start))

    def _batches(self, epoch: int, start: int) -> Iterator[Batch]:
        sizes, positions = self.schedule.batches(epoch, start)
        rows = self.examples.index[positions]
        names = [*self.examples.columns, "index"]
        for count, chunk in _blocks(sizes, self._bytes):
            block, rows = rows[:count], rows[count:]
            parts: list[Iterable[Tensor]] = [
                column.gather(block).split(chunk)
                if column.uniform and not column.lazy
                else map(column.gather, block.split(chunk))
                for column in self.examples.columns.values()
            ]
            for values in zip(*parts, block.split(chunk), strict=True):
                batch = dict(zip(names, values, strict=True))
                yield batch if self.transform is None else self.transform(batch, epoch)


def _bytes_each(examples: Examples) -> int:
    """Bytes of one gathered example in the fields that are gathered by the block."""
    if len(examples) == 0:
        return 1
    first = examples.index[:1]
    dense = [column for column in examples.columns.values() if column.uniform and not column.lazy]
    return max(sum(column.gather(first).nbytes for column in dense), 1)


def _blocks(sizes: list[int], bytes_each: int) -> Iterator[tuple[int, list[int]]]:
    """Runs of batches that fit a block together, at least one batch each: (examples, sizes)."""
    chunk: list[int] = []
    count = 0
    for size in sizes:
        if chunk and (count + size) * bytes_each > BLOCK_BYTES:
            yield count, chunk
            chunk, count = [], 0
        chunk.append(size)
        count += size
    if chunk:
        yield count, chunk


class WorkerLoader:
    """The same steps as :class:`MemoryLoader`, gathered by worker processes: for files that must be decoded.

    The order is drawn in this process and the workers draw nothing, so the batches are equal bit for bit whatever the
    number of workers. Workers live until the loader goes, keep ``prefetch`` batches ready each, and batches are pinned
    when there is a GPU to copy them to.

    Args:
        workers: processes; 0 decodes in this one.
        prefetch: batches that each worker keeps ready.
        others: as :class:`MemoryLoader`.
    """

    def __init__(
        self,
        examples: Examples,
        batch_size: int | str,
        *,
        seed: int | None = None,
        accumulate: int | None = 1,
        transform: Transform | None = None,
        workers: int = 2,
        prefetch: int = 2,
    ) -> None:
        self.examples = examples
        self.schedule = Schedule(len(examples), batch_size, seed, accumulate)
        self.transform = transform
        self.start = 0
        self._epoch = Epoch()
        if accumulate is not None:
            self.sampler = self._epoch  # for Lightning, as above
        self._queue: list[list[int]] = []
        self._loader = DataLoader(
            _Gathered(examples),
            sampler=self._queue,
            batch_size=None,  # the sampler gives whole batches
            num_workers=workers,
            collate_fn=_unchanged,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=workers > 0,
            prefetch_factor=prefetch if workers else None,
            generator=torch.Generator(),  # its base seed, which nobody reads, is not drawn from the global generator
        )

    @property
    def epoch(self) -> int:
        return self._epoch.number

    def set_epoch(self, epoch: int) -> None:
        self._epoch.set_epoch(epoch)

    def __len__(self) -> int:
        return self.schedule.steps()

    def __iter__(self) -> Iterator[Any]:
        start, self.start = self.start, 0
        yield from self.schedule.group(self._batches(self.epoch, start))

    def _batches(self, epoch: int, start: int) -> Iterator[Batch]:
        sizes, positions = self.schedule.batches(epoch, start)
        self._queue[:] = [part.tolist() for part in positions.split(sizes)] if sizes else []
        for batch in self._loader:
            if isinstance(batch, ConfigError):
                raise ConfigError(str(batch))  # a new one: raising what a local name holds makes a cycle
            yield batch if self.transform is None else self.transform(batch, epoch)


class _Gathered(Dataset):
    """Lists of positions -> batches. A refusal travels back as a value: a worker would bury its one line in a trace."""

    def __init__(self, examples: Examples) -> None:
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: list[int]) -> Batch | ConfigError:
        try:
            return self.examples.gather(torch.tensor(index))
        except ConfigError as refusal:
            return refusal


def _unchanged(batch: Any) -> Any:
    return batch


def to_device(batch: Any, device: torch.device) -> Any:
    """Moves every tensor of a batch, or of a list of micro-batches."""
    if isinstance(batch, Mapping):
        return {key: value.to(device, non_blocking=True) for key, value in batch.items()}
    return [to_device(micro, device) for micro in batch]

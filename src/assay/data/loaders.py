"""Loaders: iterables over optimiser steps, in an order that is a function of (seed, epoch) alone.

What fits in memory is gathered from tensors in this process, once an epoch, and cut into views; what is decoded from
files comes from worker processes. Both give the same batches bit for bit, and both can start at any step. With several
processes each gets its rows of the same batches (see :mod:`assay.data.share`), padded as the whole batch is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from assay.contracts import Batch
from assay.data.examples import Column, Examples
from assay.data.samplers import Sampler
from assay.data.samplers.plain import InOrder, Shuffled
from assay.data.schedule import Epoch, Schedule
from assay.data.share import KEY, Part
from assay.errors import ConfigError

Transform = Callable[[Batch, int], Batch]
"""(batch, epoch) -> batch, on the CPU, for each micro-batch."""

BLOCK_BYTES = 64 * 2**20  # gathered at a time: all of a small set; for a large one, memory stays bounded


def _each_once(count: int, seed: int | None) -> Sampler:
    return InOrder(count) if seed is None else Shuffled(count, seed)


class MemoryLoader:
    """Batches of examples that are held in memory.

    Each item is one optimiser step: a list of ``accumulate`` micro-batches, or a plain batch when that is None
    (evaluation). Fields of one shape are gathered once an epoch by its permutation and split into views, which costs a
    few microseconds a batch where a ``DataLoader`` fetches and stacks example by example; ragged ones by batch.

    Args:
        examples: what to visit.
        batch_size: examples of a micro-batch, or "full"; see :class:`Schedule` for the last one.
        seed: of the order, with the epoch; None visits in order.
        sampler: which examples an epoch visits, in which order; None: each once, as ``seed`` says.
        accumulate: micro-batches per step; None for evaluation.
        transform: (batch, epoch) -> batch.
        part: the process whose rows are wanted; None gives whole batches.

    ``start`` is the number of steps that the next iteration skips (resume, replay); it is taken back to 0 by it.
    """

    def __init__(
        self,
        examples: Examples,
        batch_size: int | str,
        *,
        seed: int | None = None,
        sampler: Sampler | None = None,
        accumulate: int | None = 1,
        transform: Transform | None = None,
        part: Part | None = None,
    ) -> None:
        self.examples = examples
        sampler = _each_once(len(examples), seed) if sampler is None else sampler
        self.schedule = Schedule(sampler, batch_size, accumulate)
        self.transform = transform
        self.part = part
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
        names = [*self.examples.columns, "index", *([KEY] if self.part else [])]
        for count, chunk in _blocks(sizes, self._bytes):
            block, rows = rows[:count], rows[count:]
            for values in zip(*self._parts(block, chunk), strict=True):
                batch = dict(zip(names, values, strict=True))
                yield batch if self.transform is None else self.transform(batch, epoch)

    def _parts(self, block: Tensor, chunk: list[int]) -> list[Iterable[Tensor]]:
        """Each field of the batches of a block, one after the other; of this process's rows."""
        own, whole, part = block, block.split(chunk), self.part
        sizes = chunk
        if part is not None:
            mine = [rows[part.rows(len(rows))] for rows in whole]
            own, sizes = torch.cat(mine), [len(rows) for rows in mine]

        def field(column: Column) -> Iterable[Tensor]:
            if column.uniform and not column.lazy:
                return column.gather(own).split(sizes)
            return (_gather(column, rows, part) for rows in whole)

        parts = [*map(field, self.examples.columns.values()), own.split(sizes)]
        return parts if part is None else [*parts, [part.share(size).mark() for size in chunk]]


def _gather(column: Column, rows: Tensor, part: Part | None) -> Tensor:
    """One field of a batch. Ragged rows are padded to the longest of the whole batch, so that a position of it is the
    same whatever the number of processes; it is the decoding of files that is divided."""
    if part is None:
        return column.gather(rows)
    own = part.rows(len(rows))
    return column.gather(rows[own]) if column.uniform else column.gather(rows)[own]


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
        sampler: Sampler | None = None,
        accumulate: int | None = 1,
        transform: Transform | None = None,
        part: Part | None = None,
        workers: int = 2,
        prefetch: int = 2,
    ) -> None:
        self.examples = examples
        sampler = _each_once(len(examples), seed) if sampler is None else sampler
        self.schedule = Schedule(sampler, batch_size, accumulate)
        self.transform = transform
        self.start = 0
        self._epoch = Epoch()
        if accumulate is not None:
            self.sampler = self._epoch  # for Lightning, as above
        self._queue: list[list[int]] = []
        self._loader = DataLoader(
            _Gathered(examples, part),
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

    def __init__(self, examples: Examples, part: Part | None) -> None:
        self.examples, self.part = examples, part

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: list[int]) -> Batch | ConfigError:
        rows = self.examples.index[torch.tensor(index)]
        try:
            batch = {name: _gather(column, rows, self.part) for name, column in self.examples.columns.items()}
            if self.part is None:
                return {**batch, "index": rows}
            return {**batch, "index": rows[self.part.rows(len(rows))], KEY: self.part.share(len(rows)).mark()}
        except ConfigError as refusal:
            return refusal


def _unchanged(batch: Any) -> Any:
    return batch


def to_device(batch: Any, device: torch.device) -> Any:
    """Moves every tensor of a batch, or of a list of micro-batches."""
    if isinstance(batch, Mapping):
        return {key: value.to(device, non_blocking=True) for key, value in batch.items()}
    return [to_device(micro, device) for micro in batch]

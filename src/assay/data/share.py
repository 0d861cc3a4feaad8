"""Which rows of a batch are a process's own, where several processes train one network.

``data.batch_size`` is the size of a micro-batch over all processes, so that their number changes the speed of a run and
not its result: process r of W has rows ⌊rB/W⌋ to ⌊(r+1)B/W⌋ of every micro-batch of B. A process without rows takes the
first one as a stand-in, so that every process makes the same passes through the network; it counts for nothing.

Letters: B rows of the whole batch, n own rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from assay.contracts import Batch

KEY = "share"
"""The field of a batch that says where its rows lie: a tensor without entries, of shape (first, B, 0). A shape is known
to the host, so nothing waits for the device to read it; ``first`` is B where the row is a stand-in."""


@dataclass(frozen=True)
class Share:
    """Rows ``first`` and on of a batch of ``total`` are here; ``first == total``: none is, one stands in."""

    first: int
    total: int

    @property
    def absent(self) -> bool:
        return self.first == self.total

    def mark(self) -> Tensor:
        return torch.empty(self.first, self.total, 0, dtype=torch.bool)

    def whole(self, like: tuple[int, ...], own: int) -> tuple[tuple[int, ...], slice] | None:
        """The shape that a tensor over all processes' rows has, and the part of it that is here, for one of shape
        ``like`` here; None for a tensor whose first dimension is not the batch, alone or with others behind it."""
        if not like or own == 0 or like[0] % own:
            return None
        each = like[0] // own  # heads or positions folded into the batch
        first = 0 if self.absent else self.first * each
        return (self.total * each, *like[1:]), slice(first, first + like[0])


@dataclass(frozen=True)
class Part:
    """Process ``rank`` of ``world``, as a loader needs to know it."""

    rank: int
    world: int

    def rows(self, total: int) -> slice:
        """Its rows of a batch of ``total``; the first one where it has none."""
        first, stop = total * self.rank // self.world, total * (self.rank + 1) // self.world
        return slice(0, 1) if first == stop else slice(first, stop)

    def share(self, total: int) -> Share:
        first, stop = total * self.rank // self.world, total * (self.rank + 1) // self.world
        return Share(total if first == stop else first, total)

    def cut(self, batch: Batch) -> Batch:
        """Its rows of a whole batch, marked."""
        total = len(batch["index"])
        rows = self.rows(total)
        return {**{name: value[rows] for name, value in batch.items()}, KEY: self.share(total).mark()}


def share_of(batch: Mapping[str, Tensor]) -> Share | None:
    """Where the rows of a batch lie; None for a whole one."""
    mark = batch.get(KEY)
    return None if mark is None else Share(mark.shape[0], mark.shape[1])

"""What the processes of one run say to each other: sums in a step, readings of an evaluation, the word of the first.

Rank 0 decides, logs and writes; the others compute. Everything here is a collective: each process makes the same calls
in the same order. Numbers of a step travel between the devices (NCCL on GPUs, gloo on CPUs); words between the hosts,
so that hearing one waits for no GPU.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from assay.data.share import Part
from assay.readings import widened

PATIENCE = timedelta(hours=12)
"""Of a collective. A process that has died is noticed by those who watch it (:mod:`assay.engines.processes`), and a
live one may take long: one downloads the data or writes a large checkpoint while the others wait."""


class Lost(RuntimeError):
    """Another process of the run has died: the text says which, and what it said last."""


class Ranks:
    """One process of several, and the way to the others.

    Args:
        part: which of them this is.
        store: where they find each other.
        device: of this process.
        sharded: the network is divided among them (:mod:`assay.engines.sharded`).
        lost: says which other process has died, if one has; for rank 0, which watches them.

    ``word`` is set by rank 0 before a step; after it ``heard`` holds it in every process. ``gathers``: a checkpoint is
    made of what all processes hold, slices of a network or rows of a carried state, so that all take part in it.
    """

    def __init__(
        self,
        part: Part,
        store: dist.Store,
        device: torch.device,
        sharded: bool = False,
        lost: Callable[[float], str | None] = lambda wait: None,
    ) -> None:
        self.part = part
        self.store = store
        self.device = device
        self.sharded = self.gathers = sharded
        self.lost = lost
        self.one_message = device.type == "cpu"
        self.word = 0
        self.heard = 0
        self._hosts: Any = None

    @property
    def first(self) -> bool:
        return self.part.rank == 0

    def join(self) -> None:
        """Waits for all processes and connects them. Rank 0 may come late: it downloads the data first.

        Raises:
            Lost: one died before it came.
        """
        self.store.set(f"here/{self.part.rank}", "")
        deadline = time.monotonic() + PATIENCE.total_seconds()
        while not self.store.check([f"here/{rank}" for rank in range(self.part.world)]):
            if (line := self.lost(0.0)) is not None:
                raise Lost(line)
            if time.monotonic() > deadline:
                raise Lost("not all processes of this run have started")
            time.sleep(0.02)
        backend = "nccl" if self.device.type == "cuda" else "gloo"
        options: dict[str, Any] = {}
        if backend == "nccl":
            torch.cuda.set_device(self.device)
            options = {"device_id": self.device}
        dist.init_process_group(
            backend, store=self.store, rank=self.part.rank, world_size=self.part.world, timeout=PATIENCE, **options
        )
        self._hosts = dist.new_group(backend="gloo", timeout=PATIENCE) if backend == "nccl" else None

    def close(self) -> None:
        if dist.is_initialized():
            dist.destroy_process_group()

    # in a step

    def sums(self, values: Sequence[Tensor | float]) -> Tensor:
        """Each value, 0-dimensional, summed over all processes: (len(values),) float64 on the device."""
        summed = self._numbers(values, torch.float64)
        dist.all_reduce(summed)
        return self._hear(summed)

    def _numbers(self, values: Sequence[Tensor | float], dtype: torch.dtype) -> Tensor:
        """The values, and rank 0's word where it need not stay with the hosts."""
        word = [float(self.word) if self.first else 0.0] if self.one_message else []
        return torch.stack([torch.as_tensor(v).detach().to(self.device, dtype) for v in (*values, *word)])

    def _hear(self, summed: Tensor) -> Tensor:
        if not self.one_message:
            self.heard = self.told(self.word)
            return summed
        self.heard = int(summed[-1])
        return summed[:-1]

    def sum_gradients(self, parameters: Sequence[Tensor], values: Sequence[Tensor | float] = ()) -> Tensor:
        """Sums ``p.grad`` over all processes, in one piece for each type of number. ``values`` travel along where that
        type can count them; they come back summed.

        One flag for each parameter travels along: how many processes used it. One that none did keeps None, for
        optimisers pass over it. Flags are read only by a process that misses a gradient, so the others do not wait.
        """
        by_type: dict[torch.dtype, list[Tensor]] = {}
        if self.sharded:  # their gradients are summed already
            from assay.engines.sharded import is_sharded

            parameters = [p for p in parameters if not is_sharded(p)]
        for p in parameters:
            by_type.setdefault(p.dtype, []).append(p)
        summed = torch.empty(0)
        for dtype, group in by_type.items():
            along: list[Tensor] = []
            if len(values) and torch.finfo(dtype).bits >= 32:
                along, values = [self._numbers(values, dtype)], ()
            grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in group]
            used = torch.tensor([p.grad is not None for p in group]).to(grads[0], non_blocking=True)
            flat = torch.cat([*(grad.reshape(-1) for grad in grads), used, *along])
            dist.all_reduce(flat)
            pieces = flat.split([*(grad.numel() for grad in grads), len(grads), *(len(part) for part in along)])
            used = pieces[len(grads)]
            if along:
                summed = self._hear(pieces[-1]).double()
            missing = [p.grad is None for p in group]
            counts = used.tolist() if any(missing) else [1] * len(group)
            for p, piece, count in zip(group, pieces, counts, strict=False):
                p.grad = piece.view_as(p) if count else None
        return self.sums(values) if len(values) else summed

    # between steps

    def told(self, word: int) -> int:
        """Rank 0's word, in every process."""
        message = torch.tensor(word if self.first else 0)
        dist.broadcast(message, 0, group=self._hosts)
        return int(message)

    def agreed(self, scores: Mapping[str, float]) -> dict[str, float]:
        """Rank 0's numbers for what all have computed: a decision that hangs on the last bit is then one decision."""
        values = torch.tensor(list(scores.values()), dtype=torch.float64)
        dist.broadcast(values, 0, group=self._hosts)
        return dict(zip(scores, values.tolist(), strict=True))

    @torch.no_grad()
    def same(self, tensors: Iterable[Tensor]) -> None:
        """Rank 0's values in every process: networks start alike whatever machine each runs on."""
        for tensor in tensors:
            dist.broadcast(tensor, 0)

    # of an evaluation

    def gathered(self, readings: Mapping[str, Tensor], positions: Tensor) -> dict[str, Tensor]:
        """Readings of all processes, in the order of the split, in every process.

        Args:
            readings: {name: (n, …)}, of the examples that are here.
            positions: (n,) int64, their places in the split.
        """
        lengths = [value.shape[1] if value.dim() > 1 else 0 for value in readings.values()]
        counts = [torch.zeros(1 + len(lengths), dtype=torch.int64) for _ in range(self.part.world)]
        dist.all_gather(counts, torch.tensor([len(positions), *lengths]), group=self._hosts)
        sizes = [int(count[0]) for count in counts]
        longest = torch.stack(counts).amax(0)[1:].tolist()  # of positions, over all processes
        order = torch.argsort(torch.cat(self._gather(positions.cpu(), sizes)))
        return {
            name: torch.cat(self._gather(widened(value.cpu(), length), sizes))[order].to(value.device)
            for (name, value), length in zip(readings.items(), longest, strict=True)
        }

    def whole_rows(self, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What rows of a batch carry, (n, …) of each process's own, as that of all its rows; in every process."""
        found = {}
        for name, rows in own.items():
            counts = [torch.zeros(1, dtype=torch.int64) for _ in range(self.part.world)]
            dist.all_gather(counts, torch.tensor([len(rows)]), group=self._hosts)
            found[name] = torch.cat(self._gather(rows.cpu(), [int(count) for count in counts]))
        return found

    def _gather(self, own: Tensor, sizes: list[int]) -> list[Tensor]:
        """(n, …) of each process; as bytes, which every backend carries, and padded, since all must be of one size."""
        shape = own.shape[1:]
        width = math.prod(shape) * own.element_size()  # bytes of an example
        sent = torch.zeros(max(sizes) * width, dtype=torch.uint8)
        sent[: own.numel() * own.element_size()] = own.contiguous().reshape(-1).view(torch.uint8)
        received = [torch.empty_like(sent) for _ in sizes]
        dist.all_gather(received, sent, group=self._hosts)
        return [
            piece[: size * width].view(own.dtype).reshape(size, *shape)
            for piece, size in zip(received, sizes, strict=True)
        ]

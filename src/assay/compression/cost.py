"""What a network costs: parameters, multiply-adds, bytes, milliseconds, and the memory of its activations."""

from __future__ import annotations

import statistics
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from assay.engines.threads import multiply_adds

WARM_UP = 5
"""Calls before the clock runs: the first ones choose kernels and take memory from the system."""


def parameters(network: nn.Module) -> int:
    """Of all parameters, each once; a buffer, such as a batch normalisation's mean, is none."""
    return sum(parameter.numel() for parameter in network.parameters())


def nonzero(network: nn.Module) -> int:
    """Parameters that are not zero: what magnitude pruning leaves of a network whose shapes stay."""
    return sum(int(torch.count_nonzero(parameter)) for parameter in network.parameters())


def macs(network: nn.Module, batch: Mapping[str, Tensor]) -> int:
    """Multiply-adds of one example's forward pass, by shapes: a weight that is zero counts as any other."""
    return multiply_adds(network, batch) // len(batch["index"])


def size_bytes(path: Path) -> int:
    """Of a file, or of all files below a folder: what would be copied."""
    if path.is_file():
        return path.stat().st_size
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())


def latency(call: Callable[[Any], Any], batch: Any, repeats: int = 50) -> tuple[float, tuple[float, float]]:
    """Milliseconds of ``call(batch)``: the median and the quartiles of ``repeats`` calls, each timed alone.

    Raises:
        ValueError: fewer than three repeats have no quartiles.
    """
    if repeats < 3:
        raise ValueError(f"latency takes three repeats or more, not {repeats}")
    for _ in range(WARM_UP):
        call(batch)
    spent = []
    for _ in range(repeats):
        started = time.perf_counter()
        call(batch)
        spent.append((time.perf_counter() - started) * 1e3)
    lower, median, upper = statistics.quantiles(spent, n=4, method="inclusive")
    return median, (lower, upper)


@torch.inference_mode()
def peak_activation_bytes(network: nn.Module, batch: Mapping[str, Tensor]) -> int:
    """The most bytes that tensors made in one forward pass take at the same time; weights and input are not among them.

    Each storage counts from the operation that makes it until nothing refers to it, as the allocator sees it. What a
    kernel takes within one operation is not seen.
    """
    was_training = network.training
    alive = _Alive([*network.parameters(), *network.buffers(), *batch.values()])
    try:
        network.eval()
        with alive:
            network(dict(batch))
    finally:
        network.train(was_training)
    return alive.peak


class _Alive(TorchDispatchMode):
    """Counts the bytes of storages made under it."""

    def __init__(self, given: list[Tensor]) -> None:
        super().__init__()
        self.given = {tensor.untyped_storage().data_ptr() for tensor in given}
        self.now = self.peak = 0
        self.seen: dict[int, Any] = {}  # a storage's address -> its weak reference while it lives

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._note(tensor.untyped_storage())
        return made

    def _note(self, storage: torch.UntypedStorage) -> None:
        address, size = storage.data_ptr(), storage.nbytes()
        if not size or address in self.given or address in self.seen:
            return

        def gone(_: Any) -> None:
            self.now -= size
            self.seen.pop(address, None)

        self.seen[address] = weakref.ref(storage, gone)
        self.now += size
        self.peak = max(self.peak, self.now)

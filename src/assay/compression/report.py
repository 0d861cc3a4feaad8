"""A row of costs: what a network takes, measured; :mod:`assay.compression.words` shows it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from assay.compression import cost
from assay.compression.words import SIZES
from assay.contracts import Batch

THREADS = 1
"""Of every latency, so that those of several machines and formats compare."""

REPEATS = 30


@contextmanager
def one_thread() -> Generator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def rows_of(batch: Batch, size: int) -> Batch:
    """A batch of exactly ``size`` examples, those of ``batch`` over and over."""
    rows = torch.arange(size) % len(batch["index"])
    return {name: value[rows] for name, value in batch.items()}


def measured(network: nn.Module, batch: Batch, *, timed: bool = True) -> dict[str, Any]:
    """A network's parameters, work, activations and times, by torch on the CPU; times are None unless ``timed``."""
    network = copy.deepcopy(network).cpu().eval()
    weight = next((p.dtype for p in network.parameters()), torch.float32)
    batch = {
        name: value.cpu().to(weight) if value.is_floating_point() else value.cpu() for name, value in batch.items()
    }
    one = rows_of(batch, 1)
    with one_thread(), torch.inference_mode():
        return {
            "parameters": cost.parameters(network),
            "nonzero": cost.nonzero(network),
            "macs": cost.macs(network, one),
            "peak_activation_bytes": cost.peak_activation_bytes(network, one),
            "latency_ms": latencies(network, batch) if timed else None,
            "runs_in": "torch",
            "threads": THREADS,
        }


def latencies(call: Callable[[Batch], Any], batch: Batch) -> dict[str, dict[str, float]]:
    """{batch size: median and quartiles in milliseconds}."""
    found = {}
    for size in SIZES:
        median, (lower, upper) = cost.latency(call, rows_of(batch, size), REPEATS)
        found[str(size)] = {"median": median, "lower": lower, "upper": upper}
    return found

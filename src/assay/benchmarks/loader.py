"""Reading the digits once in a random order: our loader in memory against torch's default one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from torch.utils.data import DataLoader, TensorDataset

from assay.bench import Comparison
from assay.data.digits import Digits
from assay.data.loaders import MemoryLoader

BATCH_SIZE = 64
EPOCHS = 30


def timed(loader: Iterable[object], examples: int) -> Callable[[], float]:
    """Seconds per example over some epochs."""

    def measure() -> float:
        began = time.perf_counter()
        for _ in range(EPOCHS):
            for _ in loader:
                pass
        return (time.perf_counter() - began) / (EPOCHS * examples)

    return measure


def comparisons() -> list[Comparison]:
    data = Digits(batch_size=BATCH_SIZE)
    data.setup()
    examples = data.splits["train"]
    tensors = TensorDataset(examples.column("source"), examples.column("label"))
    return [
        Comparison(
            "loader",
            f"one epoch of digits in batches of {BATCH_SIZE}, against `DataLoader(TensorDataset(…), shuffle=True)`",
            timed(MemoryLoader(examples, BATCH_SIZE, seed=0), len(examples)),
            timed(DataLoader(tensors, BATCH_SIZE, shuffle=True), len(examples)),
            "example",
            5,
            speed=True,
            pairs=11,
        )
    ]

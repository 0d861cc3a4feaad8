"""Writing and reading back the state of a run: ours, with digest and rename, against torch's pickle, synced."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from assay.bench import Comparison
from assay.engines import checkpoint
from assay.state import capture

SIZES = {"small": 128, "large": 2048}  # hidden units: 0.3 and 100 MB with Adam's moments


def trained(hidden: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A network that has taken a step, so that the optimiser holds its moments."""
    network = nn.Sequential(nn.Linear(64, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, 10))
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.zeros(1, 64)).sum().backward()
    optimizer.step()
    return network, optimizer


def ours(hidden: int) -> Callable[[], float]:
    network, optimizer = trained(hidden)

    def measure() -> float:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "last.ckpt"
            began = time.perf_counter()
            checkpoint.write(path, capture(network, nn.Module(), optimizer, {}), {"step": 1})
            checkpoint.read(path)
            return time.perf_counter() - began

    return measure


def theirs(hidden: int) -> Callable[[], float]:
    network, optimizer = trained(hidden)

    def measure() -> float:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "last.pt"
            began = time.perf_counter()
            with open(path, "wb") as file:
                torch.save({"network": network.state_dict(), "optimizer": optimizer.state_dict()}, file)
                file.flush()
                os.fsync(file.fileno())
            torch.load(path, weights_only=True)
            return time.perf_counter() - began

    return measure


def comparisons() -> list[Comparison]:
    return [
        Comparison(
            f"checkpoint, {name}",
            f"three layers of {hidden} units and Adam's moments written and read back, against `torch.save`, synced, "
            "and `torch.load`",
            ours(hidden),
            theirs(hidden),
            "checkpoint",
            2.0,
            pairs=11,
        )
        for name, hidden in SIZES.items()
    ]

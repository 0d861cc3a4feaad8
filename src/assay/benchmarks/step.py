"""A training step of a run as users start it, against the loop that one writes by hand for the same network.

Ours: ``assay.run.run`` with its default log, checkpoints, progress and W&B record; time inside training epochs, as
summary.json has it, validation excluded. Theirs: ``DataLoader(TensorDataset, shuffle=True)`` and ``torch.optim.Adam``,
and no log. Both: digits, 8×8 pixels, one CPU thread, batches of 64, no schedule, the same number of parameters.
"""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from assay.bench import Comparison
from assay.data.digits import Digits

BATCH_SIZE = 64
LEARNING_RATE = 3e-3


class Rows(nn.Module):
    """An LSTM over the rows of an image, as one writes it by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 128, batch_first=True)
        self.head = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.lstm(x.squeeze(1))  # (B, T, H)
        return self.head(states[:, -1])


def mlp() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


# name -> (network by hand, its shape in words, epochs, goal)
NETWORKS: dict[str, tuple[Callable[[], nn.Module], str, int, float]] = {
    "mlp": (mlp, "64-128-10", 40, 1.2),
    "lstm": (Rows, "8 rows of 8, 128 units", 12, 1.15),
    "cnn": (cnn, "32 and 64 maps 3×3, 128 hidden", 12, 1.05),
}


def by_hand(make: Callable[[], nn.Module], data: TensorDataset, epochs: int) -> float:
    """Seconds per step of the plain loop."""
    torch.set_num_threads(1)
    network = make().train()
    loader = DataLoader(data, batch_size=BATCH_SIZE, shuffle=True)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    began = time.perf_counter()
    for _ in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(network(x), y)
            loss.backward()
            optimizer.step()
    return (time.perf_counter() - began) / (epochs * len(loader))


def by_run(model: str, epochs: int, parameters: int) -> float:
    """Seconds per step of a whole run."""
    summary = trained(model, epochs)
    assert summary["parameters"] == parameters, f"{model} has {summary['parameters']} parameters, by hand {parameters}"
    return summary["training_seconds"] / summary["steps"]


@contextmanager
def offline() -> Generator[None]:
    """Nothing of a benchmark goes to anybody's account."""
    before = os.environ.get("WANDB_MODE")
    os.environ["WANDB_MODE"] = "offline"
    try:
        yield
    finally:
        del os.environ["WANDB_MODE"]
        if before is not None:
            os.environ["WANDB_MODE"] = before


def trained(model: str, epochs: int) -> dict[str, Any]:
    """What the summary of a run says."""
    from assay.preflight import compose
    from assay.run import run

    with tempfile.TemporaryDirectory() as outputs, offline():
        folder = Path(outputs) / "run"
        folder.mkdir()
        point = compose(
            [
                f"model={model}",
                "data=digits",
                f"data.batch_size={BATCH_SIZE}",
                "optim=adam",
                f"optim.lr={LEARNING_RATE}",
                "scheduler=none",
                "trainer=cpu",
                f"trainer.max_epochs={epochs}",
                "threads=1",
                f"outputs={outputs}",
            ]
        )
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            return run(point.config, list(point.overrides), folder)


def comparisons() -> list[Comparison]:
    digits = Digits(batch_size=BATCH_SIZE)
    digits.setup()
    train = digits.splits["train"]
    data = TensorDataset(train.column("source"), train.column("label"))
    found = []
    for name, (make, shape, epochs, goal) in NETWORKS.items():
        parameters = sum(p.numel() for p in make().parameters())
        found.append(
            Comparison(
                f"step {name}",
                f"one training step, {name} ({shape}), digits, batch {BATCH_SIZE}, one thread, against a loop by hand",
                partial(by_run, name, epochs, parameters),
                partial(by_hand, make, data, epochs),
                "step",
                goal,
            )
        )
    return found

"""Early stopping: the run ends when the monitored metric has not improved for a number of validations."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from assay.contracts import Scope


class EarlyStopping:
    """Prechelt, "Early Stopping - but when?", 1998, the class UP_s with s = ``patience`` strips of one validation.

    Args:
        mode: ``min`` or ``max``, of the monitored metric.
        patience: validations without improvement before stopping.
        min_delta: what counts as an improvement.
    """

    scope = Scope.EPOCH

    def __init__(self, mode: str, patience: int, min_delta: float = 0.0) -> None:
        self.sign = 1.0 if mode == "max" else -1.0
        self.patience = patience
        self.min_delta = min_delta
        self.best = -float("inf")
        self.waited = 0

    def update(self, score: float) -> bool:
        """Takes one validation's score; True means stop."""
        if self.sign * score > self.best + self.min_delta:
            self.best, self.waited = self.sign * score, 0
        else:
            self.waited += 1
        return self.waited >= self.patience

    def state(self) -> dict[str, Tensor]:
        return {"best": torch.tensor(self.best, dtype=torch.float64), "waited": torch.tensor(self.waited)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.best, self.waited = float(state["best"]), int(state["waited"])

"""How often a run writes a checkpoint."""

from __future__ import annotations

import math
import re
import time

from assay.errors import ConfigError


class Cadence:
    """When the next checkpoint is due: ``5min``, ``30s``, ``500steps`` or ``2epochs``."""

    def __init__(self, every: str) -> None:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h|steps?|epochs?)", every)
        if match is None:
            raise ConfigError(f"checkpoint.every={every} is not a cadence; write 5min, 30s, 500steps or 2epochs")
        number, unit = float(match[1]), match[2]
        self.seconds = number * {"s": 1, "min": 60, "h": 3600}[unit] if unit in ("s", "min", "h") else math.inf
        self.steps = int(number) if unit.startswith("step") else 0
        self.epochs = int(number) if unit.startswith("epoch") else 0
        self._written = time.monotonic()
        self._step = 0

    def due(self, step: int) -> bool:
        """Whether one is due now that ``step`` steps have been taken."""
        if self.steps:
            return step % self.steps == 0 and step != self._step
        return time.monotonic() - self._written >= self.seconds

    def due_after_epoch(self, epoch: int) -> bool:
        return bool(self.epochs) and (epoch + 1) % self.epochs == 0

    def written(self, step: int) -> None:
        self._written, self._step = time.monotonic(), step

"""When a schedule moves: torch's schedulers behind three moments of a run.

A schedule that asks for ``total_steps`` moves each optimiser step; ``ReduceLROnPlateau`` moves each validation, by
the monitored metric; any other each epoch, as torch counts them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from assay.contracts import Scope
from assay.errors import ConfigError
from assay.state import fill, flatten


class Schedule:
    """One schedule of one optimiser.

    Args:
        make: a torch scheduler without its optimiser (``_partial_``); it gets ``total_steps`` if it asks, ``mode`` if
            that is min or max, and its ``max_lr`` is in each group the same multiple of the group's rate.
        optimizer: whose rates move.
        total_steps: optimiser steps of the whole run.
        mode: ``min`` or ``max``, of the monitored metric.
    Raises:
        ConfigError: the run is too short for the schedule's phases.
    """

    def __init__(self, make: Callable[..., Any], optimizer: Optimizer, *, total_steps: int, mode: str) -> None:
        names = inspect.signature(make).parameters
        offered: dict[str, Any] = {"total_steps": max(total_steps, 1)} if "total_steps" in names else {}
        written = getattr(make, "keywords", {})
        if "mode" in names and names["mode"].default in ("min", "max") and "mode" not in written:
            offered["mode"] = mode  # CyclicLR's is the shape of its triangles
        offered |= _scaled(make, optimizer)
        try:
            self.scheduler: LRScheduler = make(optimizer, **offered)
        except ZeroDivisionError as error:  # OneCycleLR, where the rise is exactly one step
            raise ConfigError(
                f"this scheduler cannot divide a run of {total_steps} steps: train longer, or use scheduler=none"
            ) from error
        self.per_step = "total_steps" in names
        self.per_validation = isinstance(self.scheduler, ReduceLROnPlateau)
        self.scope = Scope.STEP if self.per_step else Scope.EPOCH
        self._left = max(total_steps, 1) - 1  # the last step needs no rate after it, and OneCycleLR has none

    def stepped(self) -> None:
        if self.per_step and self._left > 0:
            self._left -= 1
            self.scheduler.step()

    def epoch_ended(self) -> None:
        if not self.per_step and not self.per_validation:
            self.scheduler.step()

    def validated(self, score: float) -> None:
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(score)

    def state(self) -> dict[str, Tensor]:
        return flatten({"scheduler": self.scheduler.state_dict(), "left": self._left})

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        filled = fill({"scheduler": self.scheduler.state_dict(), "left": self._left}, state)
        self.scheduler.load_state_dict(filled["scheduler"])
        self._left = filled["left"]


def _scaled(make: Callable[..., Any], optimizer: Optimizer) -> dict[str, list[float]]:
    """OneCycleLR would raise every group to one rate: {"max_lr": that of each group}, where their rates differ."""
    highest = getattr(make, "keywords", {}).get("max_lr")
    rates = [group["lr"] for group in optimizer.param_groups]
    if not isinstance(highest, int | float) or len(set(rates)) == 1:
        return {}
    return {"max_lr": [highest * rate / optimizer.defaults["lr"] for rate in rates]}

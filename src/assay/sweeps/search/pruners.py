"""Optuna's pruners, by name: which trials end before their last epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna.pruners import BasePruner

TRIAL = "trial.json"
"""In a job's folder: what its run must know to report and to ask (:mod:`assay.callbacks.pruning`)."""


@dataclass(frozen=True)
class Pruner:
    """Which trials are stopped, as settings that go into a file.

    Attributes:
        name: ``halving``: asynchronous successive halving, Li et al. 2020: of the trials that have come to a rung, the
            best 1/reduction go on; rungs after min_epochs, times reduction, times reduction …. ``hyperband``: Li et
            al. 2018: several of these side by side, whose first rungs come later and later. ``median``: what is worse
            than the median of the others at its epoch, once five have ended.
        reduction: what the rungs are apart by.
        min_epochs: that every trial trains.
        max_epochs: of a trial that is not stopped.
    """

    name: str
    reduction: int
    min_epochs: int
    max_epochs: int

    def made(self) -> BasePruner:
        from optuna import pruners

        match self.name:
            case "halving":
                return pruners.SuccessiveHalvingPruner(self.min_epochs, self.reduction)
            case "hyperband":
                return pruners.HyperbandPruner(self.min_epochs, self.max_epochs, self.reduction)
            case "median":
                return pruners.MedianPruner(n_warmup_steps=self.min_epochs - 1)
        return pruners.NopPruner()

"""A trial of a search that is stopped early: reports the monitored metric of each epoch, and asks whether to go on.

Rank 0 reports and decides, all ranks obey; any storage of a study will do. (Optuna's own callback for Lightning wants a
database under several processes, and ends a run without a checkpoint.)
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from assay.contracts import Scope, Stateful
from assay.sweeps.search.pruners import TRIAL, Pruner


class Pruned(Exception):
    """The search has stopped this run: after which epoch, in a line."""


class Reports:
    """The way to the study.

    Args:
        path: trial.json of the run.
    """

    def __init__(self, path: Path) -> None:
        from assay.sweeps.search.storage import opened

        facts = json.loads(path.read_text(encoding="utf-8"))
        self.trial: int = facts["trial"]
        self.storage = opened(path.parent.parent, facts["storage"])
        self.study = facts["study"]
        self.pruner = Pruner(**facts["pruner"]).made()

    def __call__(self, epoch: int, score: float) -> bool:
        """Reports the best score up to this epoch, counted from 1; whether the run is to stop.

        A pruner notes its own verdicts and would not repeat one, so it is kept: a run that was killed after hearing it
        hears it again.
        """
        import optuna

        stopped = self.storage.get_trial(self.trial).user_attrs.get("stopped")
        if stopped is not None:
            return epoch >= int(stopped)
        self.storage.set_trial_intermediate_value(self.trial, epoch, score)
        study = optuna.load_study(study_name=self.study, storage=self.storage, sampler=optuna.samplers.RandomSampler())
        if not self.pruner.prune(study, self.storage.get_trial(self.trial)):
            return False
        self.storage.set_trial_user_attr(self.trial, "stopped", epoch)
        return True


class Pruning:
    """What stops a run: its own early stopping, and the search.

    Args:
        recorder: of the run; its ``stopping`` becomes this.
        reports: None in every process but the first.
        total: epochs of the run: after the last there is nothing to stop.
    """

    scope = Scope.EPOCH

    def __init__(self, recorder: Any, reports: Reports | None, total: int) -> None:
        self.recorder = recorder
        self.stopping = recorder.stopping
        self.reports = reports
        self.total = total
        self.stopped = 0  # after this epoch
        recorder.stopping = self

    def update(self, score: float) -> bool:
        """As early stopping does: the score of one validation; True means stop."""
        over = self.stopping is not None and self.stopping.update(score)
        module, ranks = self.recorder.module, self.recorder.ranks
        last = module.in_epoch >= module.trainer.num_training_batches  # a validation within an epoch is not compared
        epoch = module.epoch + 1
        if last and not self.stopped and epoch < self.total:
            best = self.recorder.sign * self.recorder.best_score
            asked = self.reports is not None and self.reports(epoch, best if math.isfinite(best) else math.nan)
            if bool(asked) if ranks is None else ranks.told(int(asked)):
                self.stopped = epoch
        return over or self.stopped > 0

    def state(self) -> dict[str, Tensor]:
        own = self.stopping.state() if isinstance(self.stopping, Stateful) else {}
        return {**own, "stopped": torch.tensor(self.stopped)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.stopped = int(state.get("stopped", 0))
        if isinstance(self.stopping, Stateful):
            self.stopping.load_state({key: value for key, value in state.items() if key != "stopped"})


def attach(recorder: Any, where: Path, total: int) -> None:
    """Lets a search stop this run, if it is a trial that reports: rank 0 finds out, and says so to all.

    Args:
        where: the run folder.
        total: epochs.
    """
    ranks = recorder.ranks
    first = ranks is None or ranks.first
    reports = first and (where / TRIAL).is_file()
    if reports if ranks is None else ranks.told(int(reports)):
        Pruning(recorder, Reports(where / TRIAL) if first else None, total)


def obey(recorder: Any) -> None:
    """After the last step.

    Raises:
        Pruned: the search had stopped the run.
    """
    stopped = getattr(recorder.stopping, "stopped", 0)
    if stopped:
        score = recorder.history.get(recorder.best_epoch, math.nan)
        raise Pruned(
            f"stopped by its search after epoch {stopped} of {recorder.stopping.total}, {recorder.monitor} {score:.4f}"
        )


def found(recorder: Any) -> dict[str, Any]:
    """What summary.json says of a run that was stopped: the best score, by its name."""
    if not getattr(recorder.stopping, "stopped", 0):
        return {}
    score = recorder.history.get(recorder.best_epoch)
    best = {"best_epoch": recorder.best_epoch, "epochs": recorder.stopping.stopped, "seconds": recorder.clock()}
    return {"monitor": recorder.monitor, recorder.monitor: score, **best}

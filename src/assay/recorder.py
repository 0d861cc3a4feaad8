"""What watches one run from outside its steps: the log, the screen, the best weights, checkpoints, stopping."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from assay.callbacks.diagnostic import Draws, Logs, Measures, Moment, Sight
from assay.callbacks.progress import Progress
from assay.contracts import Stateful
from assay.engines.cadence import Cadence
from assay.engines.checkpoint import is_finite
from assay.engines.checkpoints import Checkpoints, Saved
from assay.engines.eager import Eager, NonFiniteLoss
from assay.review.metrics_csv import MetricsCSV
from assay.state import under


class Stopped(Exception):
    """The run was asked to stop by a signal; its number is the argument."""


_SAVE = 1024
"""Added to the number of a signal, in what rank 0 says to all: a checkpoint is due, to which each has a part."""


class Recorder:
    """The observer of one run (see :class:`assay.engines.eager.Observer`).

    Args:
        checkpoints: of the run; None for a process that is not the first of several, and writes nothing.
        points: metrics.csv of the run.
        monitor, mode: the metric that best, stopping and plateau watch.
        cadence: when a checkpoint is due.
        progress: the screen.
        stopping: early stopping, or None.
        callbacks: diagnostics by name (see :mod:`assay.callbacks.diagnostic`).
        ranks: the processes that train together; all stop where the first does.
    """

    def __init__(
        self,
        checkpoints: Checkpoints | None,
        points: MetricsCSV,
        *,
        monitor: str,
        mode: str,
        cadence: Cadence,
        progress: Progress,
        stopping: Any = None,
        callbacks: Mapping[str, Any] | None = None,
        ranks: Any = None,
    ) -> None:
        self.ranks = ranks
        self.checkpoints = checkpoints
        self.points = points
        self.monitor = monitor
        self.sign = 1.0 if mode == "max" else -1.0
        self.cadence = cadence
        self.progress = progress
        self.stopping = stopping
        self.callbacks = callbacks or {}
        self.best_score = -math.inf
        self.best_epoch = -1
        self.best_step = -1
        self.best: dict[str, Tensor] = {}
        self.history: dict[int, float] = {}  # epoch -> monitored metric
        self.over = False  # early stopping has spoken, and was heard
        self.stop_signal = 0
        self.clock: Callable[[], float] = lambda: 0.0  # seconds of the run, over all its processes
        self.module: Eager

    def logged(self, step: int, epoch: int, values: dict[str, float]) -> None:
        for callback in self.callbacks.values():
            if isinstance(callback, Logs):
                values |= callback.values(self.module)
        self.progress.loss = values["train/loss"]
        self.send(step, epoch, values)

    def send(self, step: int, epoch: int, values: dict[str, float]) -> None:
        self.points.write(step, epoch, values)

    def started(self, step: int) -> None:
        if step == 0:
            self.save()  # what a replay of the first steps starts from
            self.send(0, 0, self._measured(Moment.START))
        self.progress.started(step)

    def between(self, step: int) -> None:
        self.progress.stepped(step)
        if self.ranks is not None:
            due = self.ranks.gathers and self.cadence.due(step)
            self.ranks.word = self.stop_signal + due * _SAVE  # heard by all with the sums of the next step
        save, number = divmod(self.stop_signal if self.ranks is None else self.ranks.heard, _SAVE)
        if number:
            raise Stopped(number)
        if save or (self.cadence.due(step) and not (self.ranks is not None and self.ranks.gathers)):
            self.save()

    def validated(self, step: int, epoch: int, scores: dict[str, float]) -> bool:
        self.send(step, epoch, {**scores, **self._measured(Moment.VALIDATION)})
        score = scores[self.monitor]
        self.history[epoch] = score
        self.progress.validated(step, epoch, scores)
        settled = self.module.step.settled
        if self.best_step < settled:
            self.best_score = -math.inf  # of a network with more weights: not what was asked for
        if self.sign * score >= self.best_score:  # of equal scores the later: it has seen more
            self.best_score, self.best_epoch, self.best_step = self.sign * score, epoch, step
            self.best = self._weights()
        if self.module.step.schedule is not None:
            self.module.step.schedule.validated(score)
        self.over = self.stopping is not None and step >= settled and self.stopping.update(score)
        return self.over

    def epoch_ended(self, epoch: int) -> None:
        """After validation, stopping and schedule have had their say: what is saved here starts the next epoch."""
        if self.cadence.due_after_epoch(epoch):
            self.save()

    def ended(self, data: Any) -> None:
        """After the last step, while the network still has its weights. To be called in the first process alone."""
        self.send(self.module.number, self.module.epoch, self._measured(Moment.END, data))

    def draw(self, where: Path) -> None:
        """The figures of the callbacks; metrics.csv is complete."""
        for callback in self.callbacks.values():
            if isinstance(callback, Draws):
                callback.draw(where)

    def _measured(self, moment: Moment, data: Any = None) -> dict[str, float]:
        """What the callbacks find in copies of the network, where this process is the one that writes it down."""
        parts = [callback for callback in self.callbacks.values() if isinstance(callback, Measures)]
        found: dict[str, float] = {}
        if not parts or self.checkpoints is None:
            return found
        module = self.module
        if data is None:
            data = vars(module.trainer)["datamodule"]
        device = next(module.network.parameters()).device
        sight = Sight(moment, module.number, module.epoch, module.task, module.network, data, device)
        for callback in parts:
            found |= callback.measured(sight)
        return found

    def _weights(self) -> dict[str, Tensor]:
        """A copy of the weights that were scored: the averaged ones where EMA is on."""
        step = self.module.step
        if step.average is None:
            state = step.network.state_dict()
            return {name: tensor.detach().clone() for name, tensor in state.items()}
        with step.average.applied():
            return {name: tensor.detach().clone() for name, tensor in step.network.state_dict().items()}

    def save(self) -> None:
        """Writes ``last`` (the one before becomes ``previous``) and, if it is newer than its file, ``best``.

        Raises:
            NonFiniteLoss: there is nothing worth keeping.
            OSError: there is no room; the checkpoints before are as they were.
        """
        sharded = self.ranks is not None and self.ranks.sharded
        if self.checkpoints is None and not (self.ranks is not None and self.ranks.gathers):
            return
        state, best = self.module.capture(), self.best
        if sharded:
            from assay.engines.sharded import whole

            state, best = whole(state), whole(best)
        self.cadence.written(self.module.number)
        if self.checkpoints is None:
            return
        if not is_finite(state):
            raise NonFiniteLoss
        for name, part in self._parts().items():
            state |= {f"{name}.{key}": tensor for key, tensor in part.state().items()}
        self.points.sync()
        facts = {
            "monitor": self.monitor,
            "best": {"score": self._best_score(), "epoch": self.best_epoch, "step": self.best_step},
            "history": {str(epoch): score for epoch, score in self.history.items()},
            "over": self.over and self.module.may_stop,
            "total": self.progress.total,
            "epoch": self.module.epoch,
            "rows": self.points.rows,
            "training_seconds": self.module.training_seconds,
            "seconds": self.clock(),
        }
        self.checkpoints.save(state, facts, best)

    def restore(self, saved: Saved) -> None:
        """Goes on from what an earlier process saved."""
        best = saved.facts["best"]
        self.best_score = -math.inf if best["score"] is None else self.sign * best["score"]
        self.best_epoch, self.best_step, self.best = best["epoch"], best["step"], saved.best
        self.history = {int(epoch): score for epoch, score in saved.facts["history"].items()}
        self.over = saved.facts["over"]
        for name, part in self._parts().items():
            part.load_state(under(saved.state, name))
        self.module.training_seconds = saved.facts["training_seconds"]
        self.cadence.written(self.module.number)

    def _parts(self) -> dict[str, Stateful]:
        parts = {"stopping": self.stopping, **{f"callbacks.{name}": part for name, part in self.callbacks.items()}}
        return {name: part for name, part in parts.items() if isinstance(part, Stateful)}

    def _best_score(self) -> float | None:
        return None if self.best_step < 0 else self.sign * self.best_score

    def load_best(self) -> None:
        """Puts the best weights into the network, in place."""
        if not self.best or self.best_step < min(self.module.step.settled, self.module.number):
            self.best = self._weights()
            self.best_step = self.module.number
        with torch.no_grad():
            own = self.module.network.state_dict()
            for name, tensor in self.best.items():
                own[name].copy_(tensor)

"""What watches one run from outside its steps: the log, the screen, the best weights, checkpoints, stopping."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from assay.callbacks.progress import Progress
from assay.engines import checkpoint
from assay.engines.eager import Eager, NonFiniteLoss


class Stopped(Exception):
    """The run was asked to stop by a signal; its number is the argument."""


class Recorder:
    """The observer of one run (see :class:`assay.engines.eager.Observer`).

    Args:
        folder: of the run.
        monitor, mode: the metric that best, stopping and plateau watch.
        cadence: when a checkpoint is due.
        progress: the screen.
        sinks: called with (step, epoch, values) for every point: metrics.csv, W&B.
        stopping: early stopping, or None.
        callbacks: diagnostics by name; ``values(module)`` is logged with the training loss.
    """

    def __init__(
        self,
        folder: Path,
        *,
        monitor: str,
        mode: str,
        cadence: checkpoint.Cadence,
        progress: Progress,
        sinks: list[Callable[[int, int, dict[str, float]], None]],
        stopping: Any = None,
        callbacks: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.monitor = monitor
        self.sign = 1.0 if mode == "max" else -1.0
        self.cadence = cadence
        self.progress = progress
        self.sinks = sinks
        self.stopping = stopping
        self.callbacks = callbacks or {}
        self.best_score = -math.inf
        self.best_epoch = -1
        self.best_step = -1
        self.best: dict[str, Tensor] = {}
        self.history: dict[int, float] = {}  # epoch -> monitored metric
        self.stop_signal = 0
        self._best_written = True
        self.module: Eager

    def logged(self, step: int, epoch: int, values: dict[str, float]) -> None:
        for callback in self.callbacks.values():
            values |= callback.values(self.module)
        self.progress.loss = values["train/loss"]
        self.send(step, epoch, values)

    def send(self, step: int, epoch: int, values: dict[str, float]) -> None:
        for sink in self.sinks:
            sink(step, epoch, values)

    def stepped(self, step: int) -> None:
        self.progress.stepped(step)
        if self.stop_signal:
            raise Stopped(self.stop_signal)
        if self.cadence.due(step):
            self.module.report()
            self.save()

    def validated(self, step: int, epoch: int, scores: dict[str, float]) -> bool:
        self.send(step, epoch, scores)
        score = scores[self.monitor]
        self.history[epoch] = score
        self.progress.validated(step, epoch, scores)
        if self.sign * score >= self.best_score:  # of equal scores the later: it has seen more
            self.best_score, self.best_epoch, self.best_step = self.sign * score, epoch, step
            self.best = self._weights()
            self._best_written = False
        if self.module.step.schedule is not None:
            self.module.step.schedule.validated(score)
        return self.stopping is not None and self.stopping.update(score)

    def epoch_ended(self, epoch: int) -> None:
        """After validation, stopping and schedule have had their say: what is saved here starts the next epoch."""
        if self.cadence.due_after_epoch(epoch):
            self.save()

    def _weights(self) -> dict[str, Tensor]:
        """A copy of the weights that were scored: the averaged ones where EMA is on."""
        step = self.module.step
        if step.average is None:
            state = step.network.state_dict()
            return {name: tensor.detach().clone() for name, tensor in state.items()}
        with step.average.applied():
            return {name: tensor.detach().clone() for name, tensor in step.network.state_dict().items()}

    def save(self) -> None:
        """Writes ``last`` (the one before becomes ``previous``) and, if it is newer than its file, ``best``."""
        folder = self.folder / "checkpoints"
        state = self.module.capture()
        if not checkpoint.is_finite(state):
            raise NonFiniteLoss
        if self.stopping is not None:
            state |= {f"stopping.{key}": value for key, value in self.stopping.state().items()}
        facts = {
            "monitor": self.monitor,
            "best": {"score": self.sign * self.best_score, "epoch": self.best_epoch, "step": self.best_step},
            "history": {str(epoch): score for epoch, score in self.history.items()},
        }
        if not self._best_written:
            weights = {f"network.{name}": tensor for name, tensor in self.best.items()}
            checkpoint.write(folder / "best.ckpt", weights, {**facts, "weights": "only"})
            self._best_written = True
        last = folder / "last.ckpt"
        if last.exists():
            last.replace(folder / "previous.ckpt")
        checkpoint.write(last, state, facts)
        self.cadence.written()

    def load_best(self) -> None:
        """Puts the best weights into the network, in place."""
        if not self.best:
            self.best = self._weights()
            self.best_step = self.module.number
        with torch.no_grad():
            own = self.module.network.state_dict()
            for name, tensor in self.best.items():
                own[name].copy_(tensor)

"""Lightning's loop as a caller of the step contract.

One LightningModule serves every task: the task is pure and does not know the trainer, so that other engines can call
it too. What a small model's step does not need is kept out: no ``self.log`` per step, no automatic-optimisation
closure, no host synchronisation between two points of the log.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Protocol

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from assay.contracts import Batch, Task, TrainState
from assay.engines.step import Step


class NonFiniteLoss(RuntimeError):
    """The loss summed since the last log is not finite; the replay finds where it began."""


class Observer(Protocol):
    """What watches a run: the log, the screen, the checkpoints. Called between steps, never inside one."""

    def logged(self, step: int, epoch: int, values: dict[str, float]) -> None: ...
    def stepped(self, step: int) -> None: ...
    def validated(self, step: int, epoch: int, scores: dict[str, float]) -> bool: ...
    def epoch_ended(self, epoch: int) -> None: ...


class Eager(pl.LightningModule):
    """One task under Lightning's Trainer.

    Args:
        task: pure; holds the objective.
        network: the task's network.
        make_step: builds the :class:`Step` once parameters are on their device.
        observer: told of points, steps and scores; its ``validated`` says whether to stop.
        log_every: steps between two points of the training loss.
    """

    def __init__(
        self, task: Task, network: nn.Module, make_step: Callable[[], Step], observer: Observer, log_every: int
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.task = task
        self.network = network
        self.objective = task.objective  # registered: its parameters move with the module
        self.make_step = make_step
        self.observer = observer
        self.log_every = log_every
        self.number = 0  # of the next step
        self.epoch = 0
        self.in_epoch = 0  # steps taken of this epoch
        self._ended = False  # this epoch is over, its validation and schedule too
        self._loss: Tensor | None = None
        self._summed = 0
        self._last = -1  # the step that ends the run, where max_steps names one
        self._readings: list[dict[str, Tensor]] = []
        self._averaged: Any = None
        self.readings: dict[str, Tensor] = {}
        self.training_seconds = 0.0  # inside steps: validation and checkpoints between epochs excluded
        self._clock: float | None = None

    def configure_optimizers(self) -> torch.optim.Optimizer:
        self.step = self.make_step()
        return self.step.optimizer

    # training

    def on_train_start(self) -> None:
        optimizer: Any = self.optimizers()
        self._move = optimizer.step  # counts the step for the Trainer
        self._last = self.trainer.max_steps
        scaled = getattr(self.trainer.precision_plugin, "scaler", None) is not None
        self._backward = self.manual_backward if scaled or self.trainer.world_size > 1 else Tensor.backward
        if scaled and self.step.clip is not None:
            self.step.clip = _Unscaled(self.step.clip, self.trainer, self.step.optimizer)

    def on_train_epoch_start(self) -> None:
        self.epoch = self.current_epoch
        self.in_epoch, self._ended = 0, False
        self._clock = time.perf_counter()

    def training_step(self, micro_batches: list[Batch], batch_idx: int) -> None:
        own = self.__dict__  # past nn.Module.__setattr__, which takes longer than the rest of this function
        loss = self.step(micro_batches, self.epoch, self.number, self._backward, self._move)
        own["_loss"] = loss if self._loss is None else self._loss + loss
        own["_summed"] += 1
        own["number"] = number = self.number + 1
        own["in_epoch"] += 1
        if number % self.log_every == 0:
            self.report()
        if number == self._last:
            self.trainer.should_stop = True  # else Lightning would leave the epoch without validating its last weights
        self.observer.stepped(number)

    def report(self) -> None:
        """Writes the mean training loss since the last report: the only point where the host waits for the device."""
        if self._loss is None:
            return
        loss = float(self._loss) / self._summed
        self._loss, self._summed = None, 0
        if not math.isfinite(loss):
            raise NonFiniteLoss
        rate = self.step.optimizer.param_groups[0]["lr"]
        self.observer.logged(self.number, self.epoch, {"train/loss": loss, "train/lr": float(rate)})

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self.training_seconds += time.perf_counter() - self._clock
            self._clock = None

    def on_train_epoch_end(self) -> None:
        self._stop_clock()
        if self.step.schedule is not None:
            self.step.schedule.epoch_ended()
        self._ended = self.in_epoch >= self.trainer.num_training_batches  # max_steps may end a run within an epoch
        self.observer.epoch_ended(self.epoch)

    # validation and test

    def _start_evaluation(self) -> None:
        self._readings = []
        step = getattr(self, "step", None)
        if step is not None and step.average is not None and self.trainer.state.fn == "fit":
            self._averaged = step.average.applied()
            self._averaged.__enter__()

    def _evaluate(self, batch: Batch) -> None:
        self._readings.append(self.task.readings(self.network(batch), batch))

    def _end_evaluation(self) -> dict[str, float]:
        if self._averaged is not None:
            self._averaged.__exit__(None, None, None)
            self._averaged = None
        self.readings = {key: torch.cat([r[key] for r in self._readings]) for key in self._readings[0]}
        self._readings = []
        return self.task.scores(self.readings)

    def on_validation_epoch_start(self) -> None:
        self.report()
        self._stop_clock()
        self._start_evaluation()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate(batch)

    def on_validation_epoch_end(self) -> None:
        scores = {f"val/{name}": value for name, value in self._end_evaluation().items()}
        if self.observer.validated(self.number, self.epoch, scores):
            self.trainer.should_stop = True
        self._clock = time.perf_counter()  # a validation within an epoch: the steps go on

    def on_test_epoch_start(self) -> None:
        self._start_evaluation()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate(batch)

    def on_test_epoch_end(self) -> None:
        self.test_scores = self._end_evaluation()

    # state

    def bare_step(self) -> Step:
        """The step without the Trainer's loss scaling: for a replay, which differentiates the loss itself."""
        if isinstance(self.step.clip, _Unscaled):
            self.step.clip = self.step.clip.clip
        return self.step

    def capture(self) -> TrainState:
        """Everything a step changes, and where the next one stands. An epoch whose steps are all taken but whose
        validation is still to come is not over: its schedule has not moved."""
        epoch, in_epoch = (self.epoch + 1, 0) if self._ended else (self.epoch, self.in_epoch)
        counters = {"step": self.number, "epoch": epoch, "in_epoch": in_epoch}
        return {**self.step.capture(), **{f"counter.{key}": torch.tensor(n) for key, n in counters.items()}}


class _Unscaled:
    """Clipping under float16 loss scaling: the gradients are brought back to their size first."""

    def __init__(
        self, clip: Callable[[list[Tensor]], Any], trainer: pl.Trainer, optimizer: torch.optim.Optimizer
    ) -> None:
        self.clip, self.trainer, self.optimizer = clip, trainer, optimizer

    def __call__(self, parameters: list[Tensor]) -> Any:
        plugin: Any = self.trainer.precision_plugin
        plugin.scaler.unscale_(self.optimizer)
        return self.clip(parameters)

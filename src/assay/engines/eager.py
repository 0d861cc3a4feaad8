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
from assay.data.share import share_of
from assay.engines.step import Step
from assay.readings import join
from assay.state import fill, flatten, under


class NonFiniteLoss(RuntimeError):
    """The loss summed since the last log is not finite; the replay finds where it began."""


class Observer(Protocol):
    """What watches a run: the log, the screen, the checkpoints. Called between steps, never inside one.

    ``between`` comes before each step, when all that belongs to the ``step`` steps taken is done, validation included:
    the moment at which a run may be saved or left."""

    def started(self, step: int) -> None: ...
    def between(self, step: int) -> None: ...
    def logged(self, step: int, epoch: int, values: dict[str, float]) -> None: ...
    def validated(self, step: int, epoch: int, scores: dict[str, float]) -> bool: ...
    def epoch_ended(self, epoch: int) -> None: ...


class Eager(pl.LightningModule):
    """One task under Lightning's Trainer.

    Args:
        task: pure; holds the objective.
        network: the task's network.
        make_step: builds the :class:`Step`, or what takes its place, once parameters are on their device.
        observer: told of points, steps and scores; its ``validated`` says whether to stop.
        log_every: steps between two points of the training loss.
        state: captured by an earlier process, to go on from.
        ranks: the processes that train together (:class:`assay.engines.ranks.Ranks`); None for one alone.
    """

    def __init__(
        self,
        task: Task,
        network: nn.Module,
        make_step: Callable[[], Any],
        observer: Observer,
        log_every: int,
        state: TrainState | None = None,
        ranks: Any = None,
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
        self._batches: float = -1  # steps of an epoch
        self._readings: list[dict[str, Tensor]] = []
        self._averaged: Any = None
        self.readings: dict[str, Tensor] = {}
        self.training_seconds = 0.0  # inside steps: validation and checkpoints between epochs excluded
        self._clock: float | None = None
        self._saved = state
        self.ranks = ranks
        self._positions: list[Tensor] = []  # of the examples evaluated here, where others evaluate the rest
        self._passed = 0  # examples of the batches evaluated, wherever they were
        if state is not None:
            self.number, self.epoch, self.in_epoch = (int(state[f"counter.{n}"]) for n in ("step", "epoch", "in_epoch"))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        fits = self.ranks is not None and self.trainer.state.fn == "fit"
        if fits:
            self.ranks.same([*self.parameters(), *self.buffers()])
        if fits and self.ranks.sharded:
            from assay.engines import sharded

            sharded.shard(self.network, self.ranks.part.world)
            self.step = self.make_step()
            sharded.unfused(self.step.optimizer)
            if self._saved is not None:
                self._saved = sharded.divided(self._saved, self.network, self.step.parameters)
        else:
            self.step = self.make_step()
        if fits and self.step.carries:
            self.ranks.gathers = True
            self._saved = self._saved and {**self._saved, **self._own_rows(self._saved)}
        if self._saved is not None:
            self.step.restore(self._saved)
            if "counter.loss" in self._saved:
                self._loss = self._saved["counter.loss"].to(self.step.parameters[0].device)
                self._summed = int(self._saved["counter.summed"])
        return self.step.optimizer

    # training

    def on_train_start(self) -> None:
        optimizer: Any = self.optimizers()
        self._move = optimizer.step  # counts the step for the Trainer
        self._last = self.trainer.max_steps
        scaler = self._scaler
        self._backward = self.manual_backward if scaler else Tensor.backward
        if scaler and self.step.clip is not None:
            self.step.clip = _Unscaled(self.step.clip, self.trainer, self.step.optimizer)
        if self._saved is not None:
            if scaler:
                scaler.load_state_dict(fill(scaler.state_dict(), under(self._saved, "scaler")))
            continue_from(self.trainer, self.epoch, self.in_epoch, self.number)
            self._saved = None
        self.observer.started(self.number)

    @property
    def _scaler(self) -> Any:
        """Of the loss, under float16."""
        return getattr(self.trainer.precision_plugin, "scaler", None)

    def on_train_epoch_start(self) -> None:
        if self.current_epoch != self.epoch or self._ended:  # else an epoch that an earlier process began
            self.in_epoch = 0
        self.epoch, self._ended = self.current_epoch, False
        self._batches = self.trainer.num_training_batches
        self._clock = time.perf_counter()

    def training_step(self, micro_batches: list[Batch], batch_idx: int) -> None:
        self.observer.between(self.number)
        own = self.__dict__  # past nn.Module.__setattr__, which takes longer than the rest of this function
        loss = self.step(micro_batches, self.epoch, self.number, self._backward, self._move)
        own["_loss"] = loss if self._loss is None else self._loss + loss
        own["_summed"] += 1
        own["number"] = number = self.number + 1
        own["in_epoch"] += 1
        if number % self.log_every == 0:
            self.report()
        if own["in_epoch"] == self._batches or number == self._last:
            self.step.visited()
        if number == self._last:
            self.trainer.should_stop = True  # else Lightning would leave the epoch without validating its last weights

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
        self._ended = self.in_epoch >= self.trainer.num_training_batches  # max_steps may end a run within an epoch
        if self._ended:
            self.step.epoch_ended()
        self.observer.epoch_ended(self.epoch)

    # validation and test

    def _start_evaluation(self) -> None:
        self._readings, self._positions, self._passed = [], [], 0
        step = getattr(self, "step", None)
        if step is not None and step.average is not None and self.trainer.state.fn == "fit":
            self._averaged = step.average.applied()
            self._averaged.__enter__()

    def _evaluate(self, batch: Batch) -> None:
        readings = self.task.readings(self.network(batch), batch)
        share = share_of(batch)
        if share is not None:
            if share.absent:
                readings = {name: value[:0] for name, value in readings.items()}
            first = self._passed + share.first
            self._positions.append(torch.arange(first, first + len(readings["index"])))
            self._passed += share.total
        self._readings.append(readings)

    def _end_evaluation(self) -> dict[str, float]:
        if self._averaged is not None:
            self._averaged.__exit__(None, None, None)
            self._averaged = None
        self.readings = join(self._readings)
        self._readings = []
        if self.ranks is None:
            return self.task.scores(self.readings)
        self.readings = self.ranks.gathered(self.readings, torch.cat(self._positions))
        return self.ranks.agreed(self.task.scores(self.readings))

    def on_validation_model_zero_grad(self) -> None:
        self.report()  # with the norms of the gradients, which Lightning drops now
        super().on_validation_model_zero_grad()

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

    @property
    def may_stop(self) -> bool:
        """Whether the Trainer heeds a wish to stop: ``trainer.min_epochs`` and ``min_steps`` put it off."""
        return self.trainer.fit_loop._can_stop_early

    def on_test_epoch_start(self) -> None:
        self._start_evaluation()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate(batch)

    def on_test_epoch_end(self) -> None:
        self.test_scores = self._end_evaluation()

    # state

    def bare_step(self) -> Step:
        """The step without the Trainer's loss scaling and without other processes: for a replay, which differentiates
        the loss itself, of whole batches."""
        self.step.ranks = None
        if isinstance(self.step.clip, _Unscaled):
            self.step.clip = self.step.clip.clip
        return self.step

    def capture(self) -> TrainState:
        """Everything a step changes, where the next one stands, and the losses that no point of the log has yet. To be
        called where :meth:`Observer.between` is, or once an epoch has ended; by all processes where each has rows of
        what is carried."""
        epoch, in_epoch = (self.epoch + 1, 0) if self._ended else (self.epoch, self.in_epoch)
        counters = {"step": self.number, "epoch": epoch, "in_epoch": in_epoch, "summed": self._summed}
        state = {**self.step.capture(), **{f"counter.{key}": torch.tensor(n) for key, n in counters.items()}}
        if self._loss is not None:
            state["counter.loss"] = self._loss.detach().clone()
        if self.step.ranks is not None:
            absent = self.step.share is not None and self.step.share.absent
            own = {key: rows[:0] if absent else rows for key, rows in self._carried(state).items()}
            state |= self.ranks.whole_rows(own)
        scaler = self._scaler
        return state if scaler is None else state | flatten(scaler.state_dict(), "scaler")

    def _carried(self, state: TrainState) -> TrainState:
        """What of a state belongs to the rows of a batch."""
        return {key: rows for name in self.step.carries for key, rows in state.items() if key.startswith(f"{name}.")}

    def _own_rows(self, state: TrainState) -> TrainState:
        """This process's rows of what is carried; a stand-in where it has none."""
        part, carried = self.ranks.part, self._carried(state)
        for rows in carried.values():
            self.step.share = part.share(len(rows))
        return {key: rows[part.rows(len(rows))] for key, rows in carried.items()}


def continue_from(trainer: pl.Trainer, epoch: int, in_epoch: int, number: int) -> None:
    """Sets Lightning's counters to a run's position, as loading one of its own checkpoints would.

    Args:
        epoch: the one to go on with, counted from 0.
        in_epoch: its steps that were taken; the loader skips them.
        number: of all steps that were taken.
    """
    fit = trainer.fit_loop
    steps = fit.epoch_loop
    moved = steps.manual_optimization.optim_step_progress.total
    moved.ready = moved.completed = number
    epochs, batches = fit.epoch_progress, steps.batch_progress
    counts = [(epochs.total, epoch), (epochs.current, epoch), (batches.total, number), (batches.current, in_epoch)]
    for progress, count in counts:
        progress.reset()
        progress.increment_by(count)
    if in_epoch:
        steps.restarting = True  # else the epoch would begin with its first batch
        loader: Any = trainer.train_dataloader
        loader.start = in_epoch


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

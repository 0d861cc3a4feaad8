"""Finds where a loss stopped being finite: the run is replayed from its last checkpoint with hooks on.

Order, augmentation and dropout are functions of (seed, epoch, step), so the replay sees what the run saw, without the
run having watched every layer at every step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from assay.contracts import Batch
from assay.engines.step import Step, divide
from assay.layers.carry import Carries, Carry

SHOWN = 8  # examples named in the line


@dataclass(frozen=True)
class Culprit:
    """Where the first value that is not finite appeared. ``examples`` are their numbers in the data set: those that
    break the layer by themselves, or the whole batch where none does; a few more than are shown."""

    step: int
    layer: str
    what: str
    examples: tuple[int, ...]

    def __str__(self) -> str:
        shown = ", ".join(map(str, self.examples[:SHOWN])) + (", …" if len(self.examples) > SHOWN else "")
        noun = "example" if len(self.examples) == 1 else "examples"
        return f"step {self.step}: {self.what} of {self.layer}" + (f", {noun} {shown}" if shown else "")


class _Broken(Exception):
    """A value of the step under way is not finite: (layer, what, batch)."""


class _Watch:
    """Forward hooks on every module: remembers the first one whose output is not finite, and the batch it was given."""

    def __init__(self, network: nn.Module) -> None:
        self.found: str | None = None
        self.batch: Batch = {}
        self._handles = [
            module.register_forward_hook(self._hook(name)) for name, module in network.named_modules() if name
        ]
        self._handles.append(network.register_forward_pre_hook(self._remember))

    def _remember(self, network: nn.Module, inputs: Any) -> None:
        self.batch = inputs[0]

    def _hook(self, name: str) -> Callable[..., None]:
        def look(module: nn.Module, inputs: Any, output: Any) -> None:
            if self.found is None and not _finite(_tensors(output)):
                self.found = name

        return look

    def remove(self) -> None:
        for handle in self._handles:
            handle.remove()


def _finite(tensors: Iterable[Tensor]) -> bool:
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors if tensor.is_floating_point())


def _tensors(nested: Any) -> Iterable[Tensor]:
    if isinstance(nested, Tensor):
        yield nested
    elif isinstance(nested, Mapping):
        for value in nested.values():
            yield from _tensors(value)
    elif isinstance(nested, list | tuple):
        for value in nested:
            yield from _tensors(value)


def find(
    step: Step,
    loader: Any,
    state: Mapping[str, Tensor],
    last: int,
    scores: Mapping[int, float],
    move: Callable[[Any], Any],
) -> Culprit | None:
    """Replays from ``state`` to step ``last``; None if everything stays finite (then the cause lay outside a step).

    Args:
        step: the run's own, its parts still in place; their state is overwritten.
        loader: of the training split, with ``set_epoch`` and ``start``.
        state: a captured :data:`TrainState` with counters.
        scores: epoch -> monitored metric, for schedules that watch it.
        move: batch -> batch on the network's device.
    """
    step.restore(state)
    step.network.train()
    number, epoch, done = (int(state[f"counter.{name}"]) for name in ("step", "epoch", "in_epoch"))
    names = {id(p): name for name, p in step.network.named_parameters()}
    watch = _Watch(step.network)
    try:
        while number < last:
            loader.set_epoch(epoch)
            loader.start = done
            for micro_batches in loader:
                batches: list[Batch] = move(micro_batches)
                try:
                    step(batches, epoch, number, partial(_backward, step, watch, names))
                    _look_at_weights(step, names)
                except _Broken as broken:
                    layer, what, batch = broken.args
                    examples = _guilty(step, watch, batch, number) if batch else ()
                    return Culprit(number + 1, layer, what, examples)
                number += 1
                if number >= last:
                    return None
            if step.schedule is not None:
                if epoch in scores:
                    step.schedule.validated(scores[epoch])
                step.schedule.epoch_ended()
            epoch, done = epoch + 1, 0
    finally:
        watch.remove()
    return None


def _backward(step: Step, watch: _Watch, names: Mapping[int, str], loss: Tensor, **options: Any) -> None:
    """Differentiates as the step would, then looks: the weights have not moved yet."""
    if watch.found is not None:
        raise _Broken(watch.found, "the output", watch.batch)
    if not _finite([loss]):
        raise _Broken("the objective", "the loss", watch.batch)
    loss.backward(**options)
    for p in reversed(step.parameters):  # the last layer's gradient is the first to be computed
        if p.grad is not None and not _finite([p.grad]):
            raise _Broken(names.get(id(p), "the objective"), "the gradient", watch.batch)


def _look_at_weights(step: Step, names: Mapping[int, str]) -> None:
    for p in step.parameters:
        if not _finite([p]):
            raise _Broken(names.get(id(p), "the objective"), "the updated weight", {})


def _guilty(step: Step, watch: _Watch, batch: Batch, number: int) -> tuple[int, ...]:
    """The examples of a batch that break the step by themselves, by halving; all of them where only their being
    together does. What normalises over a batch sees each example twice: alone it has no variance."""
    index = batch["index"].tolist()
    carries = [carry for carry in step.carries.values() if isinstance(carry, Carry | Carries)]
    again = [carry.again() for carry in carries]  # where the batch began
    guilty: list[int] = []

    def breaks(rows: Tensor) -> bool:
        watch.found = None
        part = {name: value[rows] for name, value in batch.items()}
        for begin in again:
            begin(rows)
        step.optimizer.zero_grad()
        loss = divide(step.task.terms(step.network, part, step.streams.at(number)))
        if watch.found is not None or not _finite([loss]):
            return True
        loss.backward()
        return not _finite(p.grad for p in step.parameters if p.grad is not None)

    def halve(rows: Tensor) -> None:
        if len(guilty) > SHOWN or not breaks(rows if len(rows) > 1 else rows.repeat(2)):
            return
        if len(rows) == 1:
            guilty.append(index[int(rows)])
            return
        middle = len(rows) // 2
        halve(rows[:middle])
        halve(rows[middle:])

    halve(torch.arange(len(index), device=batch["index"].device))
    return tuple(guilty or index)

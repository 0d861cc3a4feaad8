"""Finds where a loss stopped being finite: the run is replayed from its last checkpoint with hooks on.

Order, augmentation and dropout are functions of (seed, epoch, step), so the replay sees what the run saw, without the
run having watched every layer at every step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from assay.contracts import Batch
from assay.engines.step import Step


@dataclass(frozen=True)
class Culprit:
    """Where the first value that is not finite appeared. ``examples`` are their numbers in the data set."""

    step: int
    layer: str
    what: str
    examples: tuple[int, ...]

    def __str__(self) -> str:
        shown = ", ".join(map(str, self.examples[:8])) + (", …" if len(self.examples) > 8 else "")
        return f"step {self.step}: {self.what} of {self.layer}" + (f", examples {shown}" if shown else "")


class _Watch:
    """Forward hooks on every leaf module: remembers the first one whose output is not finite."""

    def __init__(self, network: nn.Module) -> None:
        self.found: tuple[str, tuple[int, ...]] | None = None
        self._handles = [
            module.register_forward_hook(self._hook(name))
            for name, module in network.named_modules()
            if not list(module.children())
        ]

    def _hook(self, name: str) -> Callable[..., None]:
        def look(module: nn.Module, inputs: Any, output: Any) -> None:
            if self.found is not None:
                return
            for tensor in _tensors(output):
                if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                    rows = (~torch.isfinite(tensor.detach().reshape(len(tensor), -1))).any(1)
                    self.found = (name, tuple(rows.nonzero().flatten().tolist()))
                    return

        return look

    def remove(self) -> None:
        for handle in self._handles:
            handle.remove()


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
        if done >= len(loader):
            epoch, done = epoch + 1, 0
        while number < last:
            loader.set_epoch(epoch)
            loader.start = done
            for micro_batches in loader:
                batches: list[Batch] = move(micro_batches)
                loss = step(batches, epoch, number)
                number += 1
                indices = torch.cat([b["index"] for b in batches]).tolist()
                if watch.found is not None:
                    layer, rows = watch.found
                    return Culprit(number, layer, "the output", tuple(indices[r] for r in rows if r < len(indices)))
                if not bool(torch.isfinite(loss)):
                    return Culprit(number, "the objective", "the loss", tuple(indices))
                for p in step.parameters:
                    if p.grad is not None and not bool(torch.isfinite(p.grad).all()):
                        return Culprit(number, names.get(id(p), "the objective"), "the gradient", tuple(indices))
                    if not bool(torch.isfinite(p).all()):
                        return Culprit(number, names.get(id(p), "the objective"), "the updated weight", ())
                if number >= last:
                    return None
            if step.schedule is not None:
                step.schedule.epoch_ended()
                if epoch in scores:
                    step.schedule.validated(scores[epoch])
            epoch, done = epoch + 1, 0
    finally:
        watch.remove()
    return None

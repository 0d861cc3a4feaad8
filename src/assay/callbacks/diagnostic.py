"""What a diagnostic sees of a run, when, and what it gives: the contract of ``callbacks=``.

A callback has any of three methods. ``values`` is read with each point of the training loss, right after a step, when
the gradients are there. ``measured`` is called before the first step, after each validation and once after the last
step, with copies to look at. ``draw`` writes the figure of a finished run. A callback keeps no history: figures are
drawn from metrics.csv and from the last measurement, so that a resumed run draws the same.
"""

from __future__ import annotations

import copy
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from assay.contracts import Batch, Task
from assay.distillation.seams import deployed
from assay.layers.random import mix, name_key


class Moment(StrEnum):
    """When ``measured`` is called."""

    START = "start"  # before the first step
    VALIDATION = "validation"
    END = "end"  # after the last step, before the best weights are tested


@runtime_checkable
class Logs(Protocol):
    """``values(module) -> {metric: value}`` of the loop's module, whose ``network`` holds the last step's gradients."""

    def values(self, module: Any) -> dict[str, float]: ...


@runtime_checkable
class Measures(Protocol):
    """``measured(sight) -> {metric: value}``, in the first of several processes alone."""

    def measured(self, sight: Sight) -> dict[str, float]: ...


@runtime_checkable
class Draws(Protocol):
    """``draw(where)`` writes into ``figures/`` of the run folder, whose metrics.csv is complete."""

    def draw(self, where: Path) -> None: ...


@dataclass(frozen=True)
class Sight:
    """A run as a diagnostic sees it: the weights that are trained, not their average.

    Args:
        moment: when.
        step, epoch: the optimiser steps taken, and the epoch, counted from 0.
        task: holds the objective.
        network: the run's own, which is never called or changed, but copied.
        data: the run's data module: its splits and its seed.
        device: where batches go.
    """

    moment: Moment
    step: int
    epoch: int
    task: Task
    network: nn.Module
    data: Any
    device: torch.device

    def due(self, every: int) -> bool:
        """Whether a callback that is measured each ``every`` epochs (0: never) and at the end has its turn."""
        if self.moment is Moment.VALIDATION:
            return every > 0 and (self.epoch + 1) % every == 0
        return self.moment is Moment.END

    def copied(self) -> nn.Module:
        """The network that is tested, in eval mode, in float32 at least: nothing done to it reaches the run."""
        return _readable(copy.deepcopy(deployed(self.network)))

    def problem(self) -> tuple[Task, nn.Module]:
        """Task and network, copied together: an objective that knows the network knows the copy."""
        network, objective = copy.deepcopy((self.network, self.task.objective))
        task = copy.copy(self.task)
        task.objective = _readable(objective)
        return task, _readable(network)

    def sample(self, split: str, count: int, network: nn.Module) -> Batch:
        """At most ``count`` examples of a split in one batch, not augmented, in the network's precision: the same
        ones at every measurement, drawn by the run's seed. Those of training have their weights, where a switch weighs
        them; each is drawn once, whatever the sampling."""
        training = self.data.training if split == "train" else None
        examples = self.data.dataset.splits[split] if training is None else training.examples
        generator = torch.Generator().manual_seed(mix(self.data.seed, name_key(f"diagnostic {split}")))
        chosen = torch.randperm(len(examples), generator=generator)[:count].sort().values
        precision = next(network.parameters()).dtype
        return {
            name: value.to(self.device, precision if value.is_floating_point() else None)
            for name, value in examples.gather(chosen).items()
        }


def _readable(module: nn.Module) -> nn.Module:
    """In eval mode, half precision made float32."""
    for weight in [*module.parameters(), *module.buffers()]:
        if weight.dtype in (torch.float16, torch.bfloat16):
            module.float()
            break
    return module.eval()


@contextmanager
def undisturbed(device: torch.device) -> Generator[None]:
    """Gradients can be taken, and nothing is cast, whatever the loop is doing."""
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device.type, enabled=False):
        yield

"""Scoring a network on a loader without a Trainer: `assay evaluate`, and the gap to training."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

import torch
from torch import Tensor, nn

from assay.contracts import Batch, Task
from assay.errors import ConfigError
from assay.readings import join


@torch.inference_mode()
def evaluate(
    task: Task, network: nn.Module, loader: Iterable[Batch], device: torch.device
) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Scores and readings of all batches together, in eval mode; the network is left as it was found."""
    weight = next(chain(network.parameters(), network.buffers()))  # a fit by counting has no parameters
    was_training, home, precision = network.training, weight.device, weight.dtype
    network.to(device).eval()
    kept = []
    for batch in loader:
        batch = {
            name: value.to(device, precision if value.is_floating_point() else None) for name, value in batch.items()
        }
        kept.append({name: value.cpu() for name, value in task.readings(network(batch), batch).items()})
    network.to(home).train(was_training)
    if not kept:
        raise ConfigError("there is nothing to evaluate: the split is empty")
    readings = join(kept)
    return task.scores(readings), readings

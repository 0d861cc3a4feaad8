"""How many CPU threads a run gets: a rule, not a timing, so that the same command gives the same bits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

WORTHWHILE = 50_000_000
"""Multiply-adds of one training batch's forward pass above which a second thread pays. Below it, waking threads costs
more than they do: with a second job on the machine, a hundred times more."""


@torch.inference_mode()
def multiply_adds(network: nn.Module, batch: Mapping[str, Tensor]) -> int:
    """Of one forward pass: weight entries times positions, summed over layers that hold a matrix."""
    total = 0

    def count(module: nn.Module, inputs: Any, output: Any) -> None:
        nonlocal total
        while isinstance(output, tuple):  # a recurrent layer gives its states first, packed or not
            output = output[0]
        for name, weight in module.named_parameters(recurse=False):
            if weight.dim() >= 2 and not isinstance(module, nn.Embedding | nn.EmbeddingBag):
                spread = weight.shape[0] if not name.startswith("weight_") else output.shape[-1]
                total += weight.numel() * (output.numel() // max(spread, 1))

    handles = [m.register_forward_hook(count) for m in network.modules() if not list(m.children())]
    was_training = network.training
    try:
        network.eval()
        network(dict(batch))
    finally:
        network.train(was_training)
        for handle in handles:
            handle.remove()
    return total


def choose_threads(wanted: int | str, network: nn.Module, batch: Mapping[str, Tensor], batch_size: int) -> int:
    """``auto``: one for a small step, else the cores this process may use. ``batch`` is any; the work is scaled to
    ``batch_size`` examples."""
    if wanted != "auto":
        return int(wanted)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = int(os.environ.get("OMP_NUM_THREADS") or cores)
    work = multiply_adds(network, batch) / len(batch["index"]) * batch_size
    return min(cores, limit) if work >= WORTHWHILE else 1

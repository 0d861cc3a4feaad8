"""How many CPU threads a run gets: a rule, not a timing, so that the same command gives the same bits."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from assay.layers.positions import Learned

WORTHWHILE = 100_000_000
"""Multiply-adds of one training batch's forward pass above which a second thread pays. Below it, waking threads costs
more than they do: with a second job on the machine, a hundred times more."""


@torch.inference_mode()
def multiply_adds(network: nn.Module, batch: Mapping[str, Tensor]) -> int:
    """Of one forward pass: the entries of each matrix times the positions it is applied at. What has no weights, such
    as attention's scores, is left out.

    A layer's positions are those of its output; of one whose weights are used without calling it, its caller's.
    """
    places: dict[str, list[int]] = {}  # of each module called: entries of its output, and vectors of features

    def watch(name: str) -> Callable[..., None]:
        def note(module: nn.Module, inputs: Any, output: Any) -> None:
            while isinstance(output, tuple):  # states first, packed or not; None where a model has none
                output = next((part for part in output if part is not None), None)
            if isinstance(output, Tensor) and output.dim():
                entries = places.setdefault(name, [0, 0])
                entries[0] += output.numel()
                entries[1] += output.numel() // output.shape[-1]

        return note

    handles = [module.register_forward_hook(watch(name)) for name, module in network.named_modules()]
    was_training = network.training
    try:
        network.eval()
        network(dict(batch))
    finally:
        network.train(was_training)
        for handle in handles:
            handle.remove()
    total = 0
    for name, module in network.named_modules():
        if isinstance(module, nn.Embedding | nn.EmbeddingBag | Learned):  # looked up or added
            continue
        while name and name not in places:
            name = name.rpartition(".")[0]
        entries, vectors = places.get(name, (0, 0))
        for weight in module.parameters(recurse=False):
            if weight.dim() > 2:  # a filter: its outputs are channels, which stand second
                total += weight.numel() * (entries // weight.shape[0])
            elif weight.dim() == 2:
                total += weight.numel() * vectors
    return total


def choose_threads(
    wanted: int | str, network: nn.Module, batch: Mapping[str, Tensor], batch_size: int, processes: int = 1
) -> int:
    """``auto``: one for a small step, else the cores this process may use. ``batch`` is any; the work is scaled to
    ``batch_size`` examples. ``processes`` of one run on this machine divide the cores, and the work."""
    if wanted != "auto":
        return int(wanted)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = int(os.environ.get("OMP_NUM_THREADS", "").partition(",")[0] or cores)  # a list is for nested regions
    work = multiply_adds(network, batch) / len(batch["index"]) * batch_size / processes
    return max(min(cores // processes, limit), 1) if work >= WORTHWHILE else 1

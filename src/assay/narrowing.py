"""``compression=slimming`` and ``structured`` in a run: between the weights of init_from=RUN and the first step units
leave the network. And what a run that goes on, or begins with a narrow one, does to be as narrow."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from assay.compression.groups import groups_of
from assay.compression.narrow import narrow
from assay.compression.ranking import Narrows
from assay.compression.refit import refit
from assay.distillation.seams import deployed
from assay.engines.step import divide
from assay.errors import ConfigError
from assay.evaluation import evaluate
from assay.layers.random import KeyedStreams
from assay.targets import build
from assay.transfer import HEAD

_SHOWN = 8


@dataclass(frozen=True)
class Narrowed:
    """What left a network before its first step.

    Attributes:
        by: the option.
        layers: {group: (units before, units after)}.
        parameters: before and after.
        monitor: the metric, on the validation split.
        scores: before and after the cut; None where another process measured them.
    """

    by: str
    layers: dict[str, tuple[int, int]]
    parameters: tuple[int, int]
    monitor: str
    scores: tuple[float, float] | None

    def to_json(self) -> dict[str, Any]:
        return vars(self)

    def lines(self) -> list[str]:
        """For the first screen."""
        before, after = (sum(sizes) for sizes in zip(*self.layers.values(), strict=True))
        first, last = self.parameters
        changed = [f"{name} {a} → {b}" for name, (a, b) in self.layers.items() if a != b]
        shown = ", ".join(changed[:_SHOWN]) + (f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else "")
        lines = [
            f"compression={self.by} cut {before - after:,} of {before:,} units ({100 - 100 * after / before:.1f} %) "
            f"and {first - last:,} of {first:,} parameters ({100 - 100 * last / first:.1f} %)",
            f"  {shown}",
        ]
        if self.scores is not None:
            a, b = self.scores
            lines.append(f"  {self.monitor} {a:.4f} before the cut, {b:.4f} after it; fine-tuning begins there")
        return lines


def begin(parts: Any, where: Path) -> Narrowed | None:
    """Takes out of ``parts.network`` what ``compression`` chooses, in place; None where it chooses nothing, or a
    checkpoint of this run holds the narrow network.

    Raises:
        ConfigError: nothing can leave this network, not as many units as asked, or RUN's weights do not fit it.
    """
    node, network = parts.config.get("compression"), parts.network
    chooser = None if node is None else build(node)
    if node is None or not hasattr(chooser, "kept") or parts.transferred is None:
        return None
    by = parts.switches["compression"]
    if lacking := [name for name in parts.transferred.fresh if not name.startswith(HEAD)]:
        raise ConfigError(
            f"compression={by} narrows init_from={parts.transferred.source} as it was trained, and {len(lacking)} "
            f"tensors here are new ({lacking[0]}): use its data and the settings of its model"
        )
    groups = groups_of(network)
    if not groups:
        model = parts.switches["model"]
        raise ConfigError(
            f"compression={by} finds nothing to take out of model={model}: no unit of it could leave without changing "
            "the others; use compression=magnitude, or a model with hidden units and normalization=none or batch"
        )
    kept = chooser.kept(groups, network.state_dict(), _gradients(parts, chooser))
    first = parts.ranks is None or parts.ranks.first
    size, score = _size(network), _score(parts) if first else 0.0
    narrow(network, kept)
    layers = {group.name: (group.size, len(kept[group.name])) for group in groups if group.name in kept}
    scores = (score, _score(parts)) if first else None
    return Narrowed(by, layers, (size, _size(network)), parts.monitor, scores)


def resumed(network: nn.Module, where: Path) -> None:
    """Makes the network as narrow as the checkpoint that it will be filled from; what is wrong with one is said where
    it is read.

    Raises:
        ConfigError: a checkpoint has shapes that this network cannot take.
    """
    whole = deployed(network)
    prefix = next(f"network.{name}." if name else "network." for name, one in network.named_modules() if one is whole)
    for name in ("last", "previous"):
        try:
            with safe_open(where / "checkpoints" / f"{name}.ckpt", framework="pt") as file:
                names = [key for key in file.keys() if key.startswith(prefix)]  # noqa: SIM118 (not a mapping)
                shapes = {key.removeprefix(prefix): file.get_slice(key).get_shape() for key in names}
        except (SafetensorError, OSError, ValueError):
            continue
        refit(whole, shapes)
        return


def as_narrow(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Makes a network anew built as narrow as its weights."""
    refit(network, {name: weight.shape for name, weight in weights.items()})


def masks(config: Mapping[str, Any], network: nn.Module, total: int) -> Any:
    """What holds weights at zero after each step (``compression=magnitude``); None where nothing does."""
    node = config.get("compression")
    made = None if node is None else build(node)
    return made(network, total_steps=total) if isinstance(made, partial) else None


def _gradients(parts: Any, chooser: Narrows) -> list[dict[str, Tensor]]:
    """Of the plain loss on the first training batches, dropout off, statistics as they are."""
    network, found = parts.network, []
    task = copy(parts.task)
    task.objective = build(parts.config["loss"])
    names, weights = zip(*network.named_parameters(), strict=True)
    trains = [p.requires_grad for p in weights]
    network.eval().requires_grad_(True)  # frozen weights too say what the loss would notice
    for number, batch in enumerate(islice(parts.plain_batches(), chooser.batches)):
        loss = divide(task.terms(network, batch, KeyedStreams(parts.config["seed"]).at(number)))
        slopes = torch.autograd.grad(loss, weights, allow_unused=True)
        found.append(
            {n: torch.zeros_like(p) if s is None else s for n, p, s in zip(names, weights, slopes, strict=True)}
        )
    network.train()
    for p, was in zip(weights, trains, strict=True):
        p.requires_grad_(was)
    return found


def _score(parts: Any) -> float:
    few = 1 if parts.config["debug"] == "fast" else None
    loader = parts.data.loader(parts.dataset.splits["val"])
    batches = loader if few is None else islice(loader, few)
    scores, _ = evaluate(parts.task, parts.network, batches, parts.trainer.strategy.root_device)
    return scores[parts.monitor.removeprefix("val/")]


def _size(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())

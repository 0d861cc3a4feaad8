"""From a resolved config and a data spec to a task and its network: the same way for training and for an artifact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from assay.contracts import DataSpec, Estimator, Task
from assay.distillation import seams
from assay.errors import ConfigError
from assay.layers.initialization import initialize
from assay.layers.random import mix, name_layers
from assay.targets import ALLOWED, accepted, build


def stem_kind(stem: Mapping[str, Any], reads: list[str]) -> str:
    """The first kind of those the model reads that the field can be turned into."""
    for kind in reads:
        if kind in stem:
            return kind
    raise ConfigError(f"the model reads {', '.join(reads)}; the data can be read as {', '.join(stem)}")


def assemble(
    config: Mapping[str, Any], spec: DataSpec, objective: nn.Module, allowed: tuple[str, ...] = ALLOWED
) -> tuple[Task, nn.Module]:
    """Builds stem, encoder, head, and gives every layer its random stream's key; initialised from ``config["seed"]``
    without touching the global generator. An objective may make something larger of it."""
    task, network = _assemble(config, spec, objective, allowed)

    def another(number: int) -> nn.Module:
        return _assemble({**config, "seed": mix(config["seed"], number)}, spec, objective, allowed)[1]

    return task, seams.assembled(objective, network, another)


def _assemble(
    config: Mapping[str, Any], spec: DataSpec, objective: nn.Module, allowed: tuple[str, ...]
) -> tuple[Task, nn.Module]:
    field = spec.source
    kind = stem_kind(config["stem"], config["reads"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config["seed"])
        stem = build(config["stem"][kind], allowed=allowed)
        stem = stem(field, **accepted(stem, spec=spec))
        make = build(config["model"], allowed=allowed)
        offered = {"input_size": stem.output_shape, "vocabulary_size": field.size, "padding_id": field.padding_id}
        encoder = make(**accepted(make, **offered, spec=spec))
        task = build(config["task"], spec, objective, allowed=allowed)
        network = encoder if isinstance(encoder, Estimator) else task.network(stem, encoder)
        initialize(network, build(config["init"], allowed=allowed))
    name_layers(network)
    return task, network

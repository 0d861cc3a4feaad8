"""The :data:`~assay.contracts.TrainState`: gathering everything a step changes into one flat mapping, and back.

Numbers become 0-dimensional tensors (int64, float64, bool), lists of numbers become vectors; strings and None are
configuration, which the config holds, and are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from assay.contracts import Stateful, TrainState


def flatten(nested: Any, prefix: str = "") -> dict[str, Tensor]:
    """Nested plain containers -> {dotted name: tensor}."""
    if isinstance(nested, Tensor):
        return {prefix: nested}
    if isinstance(nested, bool | int | float):
        return {prefix: torch.tensor(nested, dtype=torch.float64 if isinstance(nested, float) else None)}
    if isinstance(nested, Mapping):
        flat: dict[str, Tensor] = {}
        for key, value in nested.items():
            flat.update(flatten(value, f"{prefix}.{key}" if prefix else str(key)))
        return flat
    if isinstance(nested, list | tuple):
        return flatten(dict(enumerate(nested)), prefix)
    return {}


def fill(template: Any, flat: Mapping[str, Tensor], prefix: str = "") -> Any:
    """The template with every leaf that ``flat`` names replaced: the inverse of :func:`flatten` for plain state."""
    if isinstance(template, Mapping):
        return {key: fill(value, flat, f"{prefix}.{key}" if prefix else str(key)) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return type(template)(
            fill(value, flat, f"{prefix}.{i}" if prefix else str(i)) for i, value in enumerate(template)
        )
    if prefix not in flat:
        return template
    return flat[prefix] if isinstance(template, Tensor) else flat[prefix].item()


def under(flat: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries below a prefix, without it."""
    return {key[len(prefix) + 1 :]: value for key, value in flat.items() if key.startswith(prefix + ".")}


def optimizer_state(optimizer: Optimizer) -> dict[str, Tensor]:
    """``moment.<parameter>.<name>`` and ``group.<number>.<key>``, parameters numbered as torch numbers them."""
    plain = optimizer.state_dict()
    groups = [{key: value for key, value in group.items() if key != "params"} for group in plain["param_groups"]]
    return {**flatten(plain["state"], "moment"), **flatten(groups, "group")}


def load_optimizer_state(optimizer: Optimizer, flat: Mapping[str, Tensor]) -> None:
    plain = optimizer.state_dict()
    groups = fill(plain["param_groups"], flat, "group")
    for group, old in zip(groups, plain["param_groups"], strict=True):
        group["params"] = old["params"]
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in under(flat, "moment").items():
        number, _, name = key.partition(".")
        moments.setdefault(int(number), {})[name] = _laid_like(parameters[int(number)], value)
    optimizer.load_state_dict({"state": moments, "param_groups": groups})


def _laid_like(parameter: Tensor, value: Tensor) -> Tensor:
    """A copy, in the order in memory of its parameter: a file has lost it, and fused kernels go by it alone."""
    if parameter.is_contiguous() or value.shape != parameter.shape:
        return value.clone()
    return torch.empty_strided(value.size(), parameter.stride(), dtype=value.dtype, device=value.device).copy_(value)


def capture(
    network: nn.Module, objective: nn.Module, optimizer: Optimizer, parts: Mapping[str, Stateful | None]
) -> TrainState:
    """A copy of everything a step changes; ``parts`` are EMA, schedule, early stopping… by name."""
    flat = {f"network.{key}": value for key, value in network.state_dict().items()}
    flat |= {f"objective.{key}": value for key, value in objective.state_dict().items()}
    flat |= {f"optimizer.{key}": value for key, value in optimizer_state(optimizer).items()}
    for name, part in parts.items():
        if part is not None:
            flat |= {f"{name}.{key}": value for key, value in part.state().items()}
    return {key: value.detach().clone() for key, value in flat.items()}


def restore(
    state: Mapping[str, Tensor],
    network: nn.Module,
    objective: nn.Module,
    optimizer: Optimizer,
    parts: Mapping[str, Stateful | None],
) -> None:
    """Puts a captured state back into freshly built parts of the same shape."""
    network.load_state_dict(under(state, "network"))
    objective.load_state_dict(under(state, "objective"))
    load_optimizer_state(optimizer, under(state, "optimizer"))
    for name, part in parts.items():
        if part is not None:
            part.load_state(under(state, name))

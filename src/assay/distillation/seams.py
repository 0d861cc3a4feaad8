"""Where an objective takes part in the making of a run, beyond ``objective(output, batch)``: four calls, each of which
reaches whatever module within the objective answers to it, inner ones first (:class:`assay.contracts.Objective`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import nn

from assay.contracts import Batch, DataSpec


def _answering(objective: nn.Module, name: str) -> Iterator[Callable[..., Any]]:
    for module in reversed(list(objective.modules())):
        found = getattr(module, name, None)
        if callable(found):
            yield found


def fit(objective: nn.Module, spec: DataSpec, preprocessing: Any) -> None:
    """The data are known. Raises ConfigError: a part does not fit them."""
    for call in _answering(objective, "fit"):
        call(spec, preprocessing)


def assembled(objective: nn.Module, network: nn.Module, make: Callable[[int], nn.Module]) -> nn.Module:
    """What is trained: the network, or what the objective makes of it and of others of its kind."""
    for call in _answering(objective, "assembled"):
        network = call(network, make)
    return network


def meet(objective: nn.Module, network: nn.Module, batch: Batch, seed: int) -> None:
    """Once, before the optimiser is made. ``batch`` is of any split: it has the shapes. Raises ConfigError."""
    few = {name: value[:2] for name, value in batch.items()}
    for call in _answering(objective, "meet"):
        call(network, few, seed)
    objective.train()  # Lightning warns of what is in eval mode when training begins


def followers(objective: nn.Module) -> list[Callable[[nn.Module], None]]:
    """What is to be told of each step."""
    return list(_answering(objective, "stepped"))


def deployed(network: nn.Module) -> nn.Module:
    """What is tested and saved of a network: all of it, unless it says otherwise."""
    return getattr(network, "deployed", network)


def members(network: nn.Module) -> list[nn.Module]:
    """The networks of which the one that trains is made: what is said of a network's parts is said of each."""
    return list(getattr(network, "members", [network]))


def of_members(network: nn.Module, told: Callable[[nn.Module], Mapping[str, float]]) -> dict[str, float]:
    """What is told of the named parts of each member, under their names in the network that trains."""
    place = {id(module): f"{name}." if name else "" for name, module in network.named_modules()}
    return {f"{place[id(one)]}{name}": value for one in members(network) for name, value in told(one).items()}

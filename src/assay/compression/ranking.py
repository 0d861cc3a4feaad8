"""From a score for every unit to the units that stay: over the whole network, or in each layer by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from assay.errors import ConfigError
from assay.layers.channels import Group, Slice

SCOPES = ("global", "layer")


class Narrows(Protocol):
    """What decides which units of a trained network leave it.

    batches: of the training split, whose gradients it reads; 0: weights alone.
    kept: groups, the network's ``state_dict``, and for each batch the gradients of the loss by parameter -> {group: the
        units that stay}.
    """

    batches: int

    def kept(
        self, groups: list[Group], state: Mapping[str, Tensor], gradients: list[dict[str, Tensor]]
    ) -> dict[str, list[int]]: ...


def by_unit(values: Tensor, group: Group, one: Slice) -> Tensor:
    """(units, entries): what a tensor holds of each unit along one of its slices."""
    places = torch.tensor([one.entries(unit, group.size) for unit in range(group.size)], device=values.device)
    held = values.movedim(one.dim, 0)[places]  # (units, entries of a unit, …)
    return held.flatten(1)


def stays(size: int, floor: float) -> int:
    """How many of ``size`` units a layer keeps at least: ``floor`` below 1 is a share of them, rounded up."""
    return min(size, math.ceil(floor * size - 1e-9) if floor < 1 else int(floor))


def leaves(size: int, ratio: float) -> int:
    """``ratio`` of ``size`` units, rounded down; 0.29 of 100 is 29."""
    return int(ratio * size + 1e-9)


def kept(scores: Mapping[str, Tensor], scope: str, ratio: float, floor: float) -> dict[str, list[int]]:
    """Without the units of the lowest scores, of equal ones the earlier.

    Args:
        scores: {group: (units,)}.
        scope: ``global`` ranks all units together, ``layer`` those of each group.
        ratio: share of the units that leave: of all, or of each group.
        floor: what each group keeps at least, as :func:`stays` reads it; with ``global`` others leave in their place.
    Raises:
        ConfigError: no unit would leave, or not as many may as should.
    """
    left = {name: [*range(len(score))] for name, score in scores.items()}
    spare = {name: len(score) - stays(len(score), floor) for name, score in scores.items()}
    if scope == "layer":
        for name, score in scores.items():
            gone = score.argsort(stable=True)[: min(spare[name], leaves(len(score), ratio))].tolist()
            left[name] = sorted(set(left[name]) - set(gone))
        count = sum(len(score) - len(left[name]) for name, score in scores.items())
    else:
        total = sum(len(score) for score in scores.values())
        count = leaves(total, ratio)
        if count > sum(spare.values()):
            raise ConfigError(
                f"compression.ratio={ratio:g} takes {count} of {total} units out, and compression.floor={floor:g} lets "
                f"{sum(spare.values())} go: lower one of them"
            )
        owners = [(name, unit) for name, score in scores.items() for unit in range(len(score))]
        waiting = count
        for place in torch.cat(list(scores.values())).argsort(stable=True).tolist():
            name, unit = owners[place]
            if waiting and spare[name]:
                left[name].remove(unit)
                spare[name] -= 1
                waiting -= 1
    if not count:
        sizes = ", ".join(str(len(score)) for score in scores.values())
        raise ConfigError(
            f"compression.ratio={ratio:g} takes no unit out of layers of {sizes} with compression.floor={floor:g}: "
            "raise the one or lower the other"
        )
    return left

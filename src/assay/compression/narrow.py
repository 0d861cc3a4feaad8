"""Units taken out of a network: a physically smaller one that computes what it did with their readers at zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from assay.compression.groups import groups_of
from assay.compression.refit import resize
from assay.layers.channels import Group


def cut(state: Mapping[str, Tensor], groups: Sequence[Group], kept: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """Parameters and buffers without the entries of the units that leave.

    Args:
        state: a network's.
        groups: of that network.
        kept: {group: the units that stay}; a group not named keeps all.
    """
    stay: dict[tuple[str, int], Tensor] = {}
    for group in groups:
        gone = set(range(group.size)) - set(kept.get(group.name, range(group.size)))
        for one in group.slices:
            length = state[one.name].shape[one.dim]
            mask = stay.setdefault((one.name, one.dim), torch.ones(length, dtype=torch.bool))
            mask[[entry for unit in gone for entry in one.entries(unit, group.size)]] = False
    made = dict(state)
    for (name, dim), mask in stay.items():
        if not mask.all():
            made[name] = made[name].index_select(dim, mask.nonzero().flatten().to(made[name].device))
    return {name: tensor.clone() for name, tensor in made.items()}


def narrow(network: nn.Module, kept: Mapping[str, Sequence[int]]) -> None:
    """Takes all units but the kept ones out of a task's network, in place.

    Args:
        network: as trained.
        kept: {group: the units that stay}; a group not named keeps all.
    """
    state = cut(network.state_dict(), groups_of(network), kept)
    resize(network, {name: len(units) for name, units in kept.items()})
    network.load_state_dict(state)

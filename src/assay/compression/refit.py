"""A wide network made as narrow as some weights: what opening an artifact and resuming a narrowed run do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from assay.compression.groups import groups_of, heads_of, places, shapes
from assay.errors import ConfigError
from assay.layers.channels import Group


def refit(network: nn.Module, wanted: Mapping[str, Sequence[int]]) -> None:
    """Takes units out of the network, in place, until its tensors have the wanted shapes; what is in those that change
    is then zero, for the caller to fill.

    Args:
        network: a task's, as its config builds it.
        wanted: the shape of each tensor of ``state_dict``.
    Raises:
        ConfigError: no choice of units gives these shapes.
    """
    groups = groups_of(network)
    counts = _counts(network, groups, wanted)
    for name, shape in shapes(network, groups, counts).items():
        if name in wanted and tuple(wanted[name]) != shape:
            raise ConfigError(_line(name, wanted[name], shape))
    if any(counts[group.name] != group.size for group in groups):
        resize(network, counts)


def narrowed_as(network: nn.Module, narrowed: Mapping[str, Sequence[int]], run: str) -> None:
    """Makes the network as narrow as a run's, whatever data it will read.

    Args:
        narrowed: {group: (units left, units at first)}, as its artifact says; empty where it is as wide as it began.
        run: for the refusal.
    Raises:
        ConfigError: the run began with another network.
    """
    sizes = {group.name: group.size for group in groups_of(network)}
    for name, (left, first) in narrowed.items():
        if sizes.get(name) != first or not 0 < left <= first:
            here = sizes.get(name, "none")
            raise ConfigError(
                f"init_from={run} was narrowed from {first} units of {name}, of which this network has {here}: give "
                "the model the settings that RUN began with"
            )
    if narrowed:
        resize(network, {name: left for name, (left, _) in narrowed.items()})


@torch.no_grad()
def resize(network: nn.Module, counts: Mapping[str, int]) -> None:
    """Tensors of the shapes that ``counts`` units in each group need, zero where they change, and modules that know it.

    Parameters stay the objects they are. ``network.narrowed`` is then {group: (units left, units at first)}.
    """
    groups = groups_of(network)
    made = shapes(network, groups, counts)
    convolutions = [module for module in network.modules() if isinstance(module, _ConvNd)]
    depthwise = [one for one in convolutions if 1 < one.groups == one.in_channels == one.out_channels]
    for prefix, module in network.named_modules():
        below = f"{prefix}." if prefix else ""
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.shape != made[below + name]:
                parameter.data, parameter.grad = parameter.new_zeros(made[below + name]), None
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.shape != made.get(below + name, buffer.shape):
                setattr(module, name, buffer.new_zeros(made[below + name]))
    for module in network.modules():
        _align(module, module in depthwise)
    for module in network.modules():
        own: Any = getattr(module, "refit", None)  # what a layer of ours knows besides
        if own is not None:
            own()
    encoder: Any = network.get_submodule("encoder")
    encoder.output_size = network.get_parameter(heads_of(network)[0]).shape[1]
    before = getattr(network, "narrowed", {})
    first = {group.name: before.get(group.name, (0, group.size))[1] for group in groups}
    known: Any = network
    known.narrowed = {one.name: (counts.get(one.name, one.size), first[one.name]) for one in groups}


def _align(module: Any, depthwise: bool) -> None:
    """What a layer says of its sizes, as its tensors have them now."""
    if isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, _ConvNd):
        module.out_channels = module.weight.shape[0]
        if depthwise:
            module.groups = module.out_channels
        module.in_channels = module.weight.shape[1] * module.groups
    elif isinstance(module, _NormBase) and module.affine:
        module.num_features = len(module.weight)
    elif isinstance(module, nn.Embedding):
        module.num_embeddings, module.embedding_dim = module.weight.shape
    elif isinstance(module, nn.RNNBase):
        module.hidden_size, module.input_size = module.weight_hh_l0.shape[1], module.weight_ih_l0.shape[1]


def _counts(network: nn.Module, groups: Sequence[Group], wanted: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """{group: units left}, from dimensions in which one group alone is unknown, again and again."""
    own = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    sizes = {group.name: group.size for group in groups}
    counts: dict[str, int] = {}
    waiting = [one for one in places(groups).items() if one[0][0] in wanted]
    for (name, _), _ in waiting:
        if len(wanted[name]) != len(own[name]):
            raise ConfigError(_line(name, wanted[name], own[name]))
    while waiting:
        ready = [one for one in waiting if len(one[1].keys() - counts) <= 1]
        if not ready:
            break
        for (name, dim), entries in ready:
            gone = own[name][dim] - wanted[name][dim]
            gone -= sum((sizes[group] - counts[group]) * each for group, each in entries.items() if group in counts)
            for group in entries.keys() - counts:
                units, rest = divmod(gone, entries[group])
                if rest or not 0 <= units < sizes[group]:
                    raise ConfigError(_line(name, wanted[name], own[name]))
                counts[group] = sizes[group] - units
        waiting = [one for one in waiting if one not in ready]
    return {group.name: counts.get(group.name, group.size) for group in groups}


def _line(name: str, wanted: Sequence[int], own: Sequence[int]) -> str:
    return f"{name} is {_shown(wanted)}, which no units taken out of this network leave of {_shown(own)}"


def _shown(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "a number"

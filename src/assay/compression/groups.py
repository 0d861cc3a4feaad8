"""What can leave a whole network: the encoder's units, with the stem that makes its input and the head that reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from assay.layers.channels import INPUT, OUTPUT, Group, Slice

HEAD = "head.weight"


def groups_of(network: nn.Module) -> list[Group]:
    """The groups of a task's network (stem, encoder, head), names as in its ``state_dict``; none where its encoder
    does not say. Inputs that the data fix and classes stay; a stem's learnt vectors may be shortened."""
    encoder, stem = getattr(network, "encoder", None), getattr(network, "stem", None)
    asked: Any = getattr(encoder, "channel_groups", None)
    made: Any = getattr(stem, "channels", None)
    found = []
    for group in [] if asked is None else asked():
        group = group.below("encoder.")
        if group.name == INPUT:
            if made is None:
                continue
            group = replace(group, name="stem", producers=tuple(one.below("stem.") for one in made()))
        consumers = [head for one in group.consumers for head in _at_heads(one, heads_of(network))]
        found.append(replace(group, consumers=tuple(consumers)))
    return found


def heads_of(network: nn.Module) -> tuple[str, ...]:
    """The weights that read what the encoder gives: ``readers`` of a network that has others than a ``head``."""
    return getattr(network, "readers", (HEAD,))


def _at_heads(one: Slice, heads: Sequence[str]) -> list[Slice]:
    return [replace(one, name=head, dim=1) for head in heads] if one.name == OUTPUT else [one]


Places = dict[tuple[str, int], dict[str, int]]
"""{(tensor, dimension): {group: entries of each of its units}}."""


def places(groups: Iterable[Group]) -> Places:
    found: Places = {}
    for group in groups:
        for one in group.slices:
            here = found.setdefault((one.name, one.dim), {})
            here[group.name] = here.get(group.name, 0) + one.repeat * one.blocks
    return found


def shapes(network: nn.Module, groups: Sequence[Group], counts: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """Of every tensor of ``state_dict`` with ``counts`` units left in each group; a group not named keeps all."""
    made = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    sizes = {group.name: group.size for group in groups}
    gone = {name: size - counts.get(name, size) for name, size in sizes.items()}
    for (name, dim), entries in places(groups).items():
        made[name][dim] -= sum(gone[group] * each for group, each in entries.items())
    return {name: tuple(shape) for name, shape in made.items()}

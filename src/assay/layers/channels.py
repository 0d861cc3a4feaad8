"""Which of a network's units can leave it: the contract between models and ``compression/``.

A model says ``channel_groups() -> list[Group]``, names as in its own ``state_dict``. A unit is a channel, a hidden
unit, a head: what a row of some weights makes and a column of others reads. It can leave where nothing but those
columns sees it, so that the network without it computes what the network with these columns at zero does. A unit that
passes through a normalisation over units (layer, group, rms) is in the others' statistics and cannot; see
:func:`separate`.

Sizes are read from the tensors as they are, so that a network that was narrowed once says what can leave it next.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.instancenorm import _InstanceNorm

OUTPUT = "output"
"""A slice of this name is of the encoder's ``last``: what the task's head reads."""
INPUT = "input"
"""The group of this name is of the encoder's input, which can leave only where a stem makes it from learnt vectors."""


@dataclass(frozen=True)
class Slice:
    """Where the units of a group lie along one dimension of one tensor.

    Unit u has ``repeat`` consecutive entries from ``start + u·repeat``, and as many again ``stride`` further on for
    each of ``blocks``: gates of a recurrent cell stand above one another, pixels of a flattened channel in a row.

    Args:
        name: of the tensor in ``state_dict``, or OUTPUT.
        dim: of the tensor.
        start: the first entry of unit 0.
        repeat: consecutive entries of a unit.
        blocks: how often the units come.
        stride: from one block to the next; 0: as long as the block.
    """

    name: str
    dim: int = 0
    start: int = 0
    repeat: int = 1
    blocks: int = 1
    stride: int = 0

    def entries(self, unit: int, size: int) -> list[int]:
        """Those of a unit of a group of ``size``."""
        stride = self.stride or size * self.repeat
        firsts = (self.start + block * stride + unit * self.repeat for block in range(self.blocks))
        return [first + place for first in firsts for place in range(self.repeat)]

    def below(self, prefix: str) -> Slice:
        """As named from above: ``encoder.`` before its name."""
        return replace(self, name=prefix + self.name)


@dataclass(frozen=True)
class Group:
    """Units of which any can leave, all alike.

    Args:
        name: of the module that makes them.
        size: how many there are.
        producers: what makes them: rows of weights, entries of biases and of their normalisation.
        consumers: what reads them.
        scales: the batch-norm scales among the producers, which rank them; empty where they are not normalised so.
    """

    name: str
    size: int
    producers: tuple[Slice, ...]
    consumers: tuple[Slice, ...]
    scales: tuple[Slice, ...] = ()

    @property
    def slices(self) -> tuple[Slice, ...]:
        return (*self.producers, *self.consumers)

    def below(self, prefix: str) -> Group:
        def renamed(slices: Iterable[Slice]) -> tuple[Slice, ...]:
            return tuple(one if one.name == OUTPUT else one.below(prefix) for one in slices)

        name = self.name if self.name == INPUT else prefix + self.name
        return Group(name, self.size, renamed(self.producers), renamed(self.consumers), renamed(self.scales))


def separate(module: nn.Module) -> bool:
    """Whether a normalisation treats each unit by itself: none, batch and instance do."""
    return isinstance(module, nn.Identity | _BatchNorm | _InstanceNorm)


def rows(name: str, module: nn.Module, start: int = 0) -> list[Slice]:
    """The producers of a linear layer, convolution or normalisation: the first dimension of all that it has."""
    return [Slice(f"{name}.{key}", start=start) for key, tensor in module.state_dict().items() if tensor.dim()]


def columns(name: str, start: int = 0, repeat: int = 1) -> Slice:
    """The consumer of a linear layer or convolution: the second dimension of its weight."""
    return Slice(f"{name}.weight", 1, start, repeat)


def scales(name: str, norm: nn.Module, start: int = 0) -> list[Slice]:
    """γ, where it is a batch normalisation's."""
    return [Slice(f"{name}.weight", start=start)] if isinstance(norm, _BatchNorm) and norm.affine else []


def chain(layers: Iterable[tuple[str, nn.Module]], last: Slice | None = None) -> list[Group]:
    """The groups of layers that feed one another: a convolution or linear layer makes the units that the next reads.

    Between the two may stand a normalisation, depthwise convolutions, and anything that treats each channel alike. A
    flattened channel is as many consecutive columns as it has pixels.

    Args:
        layers: names and modules in the order in which they are called, none of which holds others.
        last: what reads the units of the last one; None keeps them.
    """
    found: list[Group] = []
    open_: Group | None = None  # whose reader is yet to come

    def close(reader: Slice | None) -> None:
        if open_ is not None and reader is not None:
            found.append(replace(open_, consumers=(reader,)))

    for name, module in layers:
        if isinstance(module, _ConvNd) and 1 < module.groups == module.in_channels == module.out_channels:
            if open_ is not None:
                open_ = replace(open_, producers=(*open_.producers, *rows(name, module)))
        elif isinstance(module, nn.Linear) or (isinstance(module, _ConvNd) and module.groups == 1):
            made, read = module.weight.shape[:2]
            close(None if open_ is None else columns(name, repeat=read // open_.size))
            open_ = Group(name, made, tuple(rows(name, module)), ())
        elif isinstance(module, _ConvNd) or (not separate(module) and _normalizes(module)):
            open_ = None  # it mixes the units, of which none can leave
        elif isinstance(module, _BatchNorm | _InstanceNorm) and open_ is not None:
            gammas = (*open_.scales, *scales(name, module))
            open_ = replace(open_, producers=(*open_.producers, *rows(name, module)), scales=gammas)
    close(last)
    return found


def _normalizes(module: nn.Module) -> bool:
    """Whether it has a number for each of several units: the activations' own (PReLU's slope) is one for all."""
    return any(p.dim() == 1 and p.numel() > 1 for p in module.parameters(recurse=False))

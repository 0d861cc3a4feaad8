"""What the units of a network put out on a batch: rectifiers, logistic units and tanh, gates of recurrent cells too.

A unit is a feature of a vector, a channel of an image, a feature at each valid position of a sequence. Layers have the
names of their modules; one that is called again in the same pass has a number added. Layers within the stem, which
read the characters of a word and not a sequence of the data, are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from assay.contracts import Batch
from assay.layers.recurrent import Steps
from assay.layers.relu2 import ReLU2

RECTIFIERS: dict[type[nn.Module], str] = {nn.ReLU: "relu", nn.ReLU6: "relu", ReLU2: "relu"}
FUNCTIONS = {**RECTIFIERS, nn.Sigmoid: "sigmoid", nn.Tanh: "tanh"}
"""Modules whose units can be dead or saturated, and what each computes; ReLU6 counts as the rectifier it is below 6,
and the square of a rectifier as that rectifier."""

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class Layer(NamedTuple):
    """One layer's units on a batch: ``values`` (N, units), N the examples times their valid positions."""

    name: str
    function: str
    values: Tensor


class Read(NamedTuple):
    """What a recurrent layer read: x (B, T, D), the valid positions first, in the order of its direction."""

    layer: Steps
    x: Tensor
    lengths: list[int]


@torch.no_grad()
def visit(network: Any, batch: Batch, look: Callable[[Layer], None]) -> None:
    """Shows ``look`` every layer that has such units, in the order in which the network calls them: one forward pass,
    and for each recurrent layer a loop over its readable steps, since torch's kernels hide their gates.

    Args:
        network: of a task, in eval mode; its ``stem`` says what is padded.
    """
    masks: list[Tensor | None] = []
    channels = [False]  # whether the layer before gave (B, channels, positions)
    calls: dict[str, int] = {}

    def named(name: str) -> str:
        calls[name] = calls.get(name, 0) + 1
        return name if calls[name] == 1 else f"{name}#{calls[name]}"

    def hook(name: str, module: nn.Module) -> Any:
        def note(module: nn.Module, inputs: Any, output: Any) -> None:
            channels[0] = isinstance(module, _CONVOLUTIONS)

        def activated(module: nn.Module, inputs: Any, output: Any) -> None:
            if masks:
                look(Layer(named(name), FUNCTIONS[type(module)], _rows(output, channels[0], masks[-1])))

        def recurred(module: Any, inputs: Any, output: Any) -> None:
            if not masks:
                return
            label = named(name)
            for unit, (function, values) in _stepped(module, inputs[0]).items():
                look(Layer(f"{label}.{unit}", function, _rows(values, False, masks[-1])))

        if isinstance(module, Steps):
            return recurred
        if type(module) in FUNCTIONS:
            return activated
        return note if isinstance(module, (nn.Linear, *_CONVOLUTIONS)) else None

    inside = {id(part) for module in network.modules() if isinstance(module, Steps) for part in module.modules()}
    with _masks(network, masks), _hooked(network, lambda n, m: None if _within(m, inside) else hook(n, m)):
        network(batch)


@torch.no_grad()
def recurrent(network: Any, batch: Batch) -> dict[str, Read]:
    """What each recurrent layer reads in one forward pass, by its name."""
    masks: list[Tensor | None] = []
    found: dict[str, Read] = {}

    def hook(name: str, module: nn.Module) -> Any:
        def keep(module: Any, inputs: Any, output: Any) -> None:
            if not masks:
                return
            x, mask = inputs[0], masks[-1]
            lengths = [x.shape[1]] * len(x) if mask is None else mask.sum(1).tolist()
            found[name] = Read(module, x, lengths)

        return keep if isinstance(module, Steps) else None

    with _masks(network, masks), _hooked(network, hook):
        network(batch)
    return found


def _within(module: nn.Module, inside: set[int]) -> bool:
    """A part of a recurrent layer, which that layer's steps show."""
    return id(module) in inside and not isinstance(module, Steps)


@contextmanager
def _hooked(network: nn.Module, make: Callable[[str, nn.Module], Any]) -> Generator[None]:
    found = [(module, make(name, module)) for name, module in network.named_modules()]
    handles = [module.register_forward_hook(hook) for module, hook in found if hook is not None]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _masks(network: Any, masks: list[Tensor | None]) -> Generator[None]:
    """Collects what the stem says is valid: (B, T) bool, or None. Empty as long as the stem is at work."""
    handle = network.stem.register_forward_hook(lambda module, inputs, output: masks.append(output[1]))
    try:
        yield
    finally:
        handle.remove()


def _stepped(layer: Steps, x: Tensor) -> dict[str, tuple[str, Tensor]]:
    """The units (B, T, H) of a recurrent layer, step by step."""
    state = layer.zeros(x[:, 0])
    functions: dict[str, str] = {}
    found: dict[str, list[Tensor]] = {}
    for now in x.unbind(1):
        state, units = layer.step(now, state)
        for name, (function, values) in units.items():
            functions[name] = function
            found.setdefault(name, []).append(values)
    return {name: (functions[name], torch.stack(values, 1)) for name, values in found.items()}


def _rows(values: Tensor, channels: bool, mask: Tensor | None) -> Tensor:
    """(N, units): positions of an image and of a sequence are examples of their unit, padded ones left out.

    Shape:
        values (B, units), (B, units, H, W), (B, T, units), or (B, units, P) where ``channels``: P windows over the T
        positions, of which those within the sentence count, and the first of it
    """
    if values.dim() == 2:
        return values
    if values.dim() > 3 or channels:
        values = values.flatten(2).transpose(1, 2)  # (B, P, units)
    if mask is None or values.dim() != 3 or values.shape[1] > mask.shape[1]:
        return values.flatten(0, 1)
    valid = mask[:, mask.shape[1] - values.shape[1] :].clone()  # a window is within where its last position is valid
    valid[:, 0] |= mask[:, 0]
    return values[valid]

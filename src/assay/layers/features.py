"""Hidden tensors by name: what hints, attention transfer and diagnostics read of a network without changing it."""

from __future__ import annotations

import difflib
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from assay.contracts import Batch, Encoded, Output
from assay.errors import ConfigError


@contextmanager
def capture(network: nn.Module, names: Iterable[str]) -> Generator[dict[str, Tensor]]:
    """Records the outputs of named submodules while the context is open.

    A module that returns several tensors gives its first, an encoder its ``last``; one that is called again within the
    context replaces what it gave.

    Args:
        names: as ``network.named_modules()`` spells them, such as ``encoder.layers.0``.
    Raises:
        ConfigError: no submodule has that name; the nearest names are shown.
    """
    features: dict[str, Tensor] = {}
    modules = [(name, _module(network, name)) for name in names]
    handles = [module.register_forward_hook(_recorder(features, name)) for name, module in modules]
    try:
        yield features
    finally:
        for handle in handles:
            handle.remove()


def observed(network: nn.Module, batch: Batch, names: Sequence[str]) -> Output:
    """What the network answers, the named layers in its ``features``. Where none is named nothing is done for it."""
    if not names:
        return network(batch)
    with capture(network, names) as features:
        output = network(batch)
    return replace(output, features=features)


@torch.no_grad()
def shapes(network: nn.Module, batch: Batch) -> dict[str, tuple[int, ...]]:
    """{layer: the shape of what it gives}, in the order in which layers are done: of a module, its parts come first.
    The network is as it was afterwards; of those that give no tensor, and of those not used, there is no shape."""
    was_training = network.training
    network.eval()
    found: dict[str, Tensor] = {}
    named = [(name, module) for name, module in network.named_modules() if name]
    handles = [module.register_forward_hook(_recorder(found, name)) for name, module in named]
    try:
        network(batch)
    finally:
        for handle in handles:
            handle.remove()
        network.train(was_training)
    return {name: tuple(value.shape) for name, value in found.items() if isinstance(value, Tensor)}


def _module(network: nn.Module, name: str) -> nn.Module:
    try:
        if name:
            return network.get_submodule(name)
    except AttributeError:
        pass
    known = [one for one, _ in network.named_modules() if one]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.0)
    raise ConfigError(f"features={name} names no layer of this network; the nearest are {', '.join(near)}")


def _recorder(features: dict[str, Tensor], name: str) -> Any:
    def record(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Encoded):
            output = output.last
        while isinstance(output, tuple):
            output = output[0]
        features.pop(name, None)  # in the order in which they are done, the last time they are
        features[name] = output

    return record

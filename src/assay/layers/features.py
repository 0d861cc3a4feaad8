"""Hidden tensors by name: what hints, attention transfer and diagnostics read of a network without changing it."""

from __future__ import annotations

import difflib
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from assay.contracts import Encoded
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
    modules = dict(network.named_modules())
    features: dict[str, Tensor] = {}
    names = tuple(names)
    for name in names:
        if name not in modules or not name:
            near = difflib.get_close_matches(name, [known for known in modules if known], n=3, cutoff=0.0)
            raise ConfigError(f"features={name} names no layer of this network; the nearest are {', '.join(near)}")
    handles = [modules[name].register_forward_hook(_recorder(features, name)) for name in names]
    try:
        yield features
    finally:
        for handle in handles:
            handle.remove()


def _recorder(features: dict[str, Tensor], name: str) -> Any:
    def record(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Encoded):
            output = output.last
        while isinstance(output, tuple):
            output = output[0]
        features[name] = output

    return record

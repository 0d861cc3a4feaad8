"""What a quantised network's convolutions and linear layers read, rounded on its way in."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from assay.compression.quantized import Grid, Quantization

READERS = (nn.modules.conv._ConvNd, nn.Linear)
"""Layers that multiply what they read by weights. Recurrent kernels multiply states too, which no hook sees: what they
read stays float32, as torch's and torchao's dynamic quantisation of inputs leaves embeddings."""

NAME = "input_rounding"
"""The submodule of a layer that rounds for it."""


class StaticInput(nn.Module):
    """Rounds to a grid that calibration or training has fixed.

    Args:
        grid: uint8, of the whole tensor.
    Shape:
        x any float -> the same
    """

    scale: Tensor
    zero_point: Tensor

    def __init__(self, grid: Grid) -> None:
        super().__init__()
        self.register_buffer("scale", grid.scale, persistent=False)  # Quantization.inputs holds them in an artifact
        self.register_buffer("zero_point", grid.zero_point, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return Grid(self.scale, self.zero_point).round(x.float()).to(x.dtype)


class DynamicInput(nn.Module):
    """Rounds to 8 bits, symmetrically, by the range of what comes: scale = max|x| / 127.5, cut off at -128 … 127.

    torchao's ``Int8DynamicActivationInt8WeightConfig``: of a linear layer's input each row (a token) has a scale. Of a
    convolution's each example has one. Neither depends on what else is in the batch, as ONNX's DynamicQuantizeLinear
    would.

    Args:
        first: dimension of x from which on one scale holds; -1 for rows.
    Shape:
        x (B, …) float -> the same
    """

    def __init__(self, first: int) -> None:
        super().__init__()
        self.first = first

    def forward(self, x: Tensor) -> Tensor:
        values = x.float()
        over = [-1] if self.first == -1 else list(range(self.first, x.dim()))
        scale = values.abs().amax(over, keepdim=True) / 127.5
        scale = torch.where(scale >= torch.finfo(torch.float32).tiny, scale, torch.ones_like(scale))
        return ((values * (1 / scale)).round().clamp(-128, 127) * scale).to(x.dtype)


def readers(network: nn.Module) -> dict[str, nn.Module]:
    """The layers whose input can be rounded, by module name."""
    return {name: module for name, module in network.named_modules() if isinstance(module, READERS)}


def attach(network: nn.Module, quantization: Quantization) -> None:
    """Makes the layers of a network round what they read, as its quantisation says.

    Raises:
        KeyError: the network has no such layer.
    """
    found = readers(network)
    if quantization.mode == "dynamic":
        for layer in found.values():
            _put(layer, DynamicInput(-1 if isinstance(layer, nn.Linear) else 1))
    for name, grid in quantization.inputs.items():
        _put(found[name], StaticInput(grid))


def remove(network: nn.Module) -> None:
    """Undoes :func:`attach` and what training with rounded inputs put into the layers."""
    for layer in readers(network).values():
        if NAME in layer._modules:
            del layer._modules[NAME]
            for key, hook in list(layer._forward_pre_hooks.items()):
                if hook is rounded:
                    del layer._forward_pre_hooks[key]


def _put(layer: nn.Module, rounding: nn.Module) -> None:
    layer.add_module(NAME, rounding)
    layer.register_forward_pre_hook(rounded)


def rounded(layer: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """The hook: of the module, not of one network, so that copies of it round by their own submodules."""
    return layer.get_submodule(NAME)(arguments[0]), *arguments[1:]

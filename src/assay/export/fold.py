"""Batch normalisations put into the layers before them: what they compute in evaluation is one factor and one shift per
channel (Jacob et al. 2018, arXiv:1712.05877, section 3.2), and a file need not hold them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from assay.compression.quantized import Grid
from assay.contracts import Batch

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d)


class Affine(nn.Module):
    """y = a x + b for each channel: a batch normalisation in evaluation.

    Shape:
        x (B, C, …) -> the same
    """

    factor: Tensor
    shift: Tensor

    def __init__(self, factor: Tensor, shift: Tensor, spatial_dims: int) -> None:
        super().__init__()
        shape = [-1] + [1] * spatial_dims
        self.register_buffer("factor", factor.view(shape))
        self.register_buffer("shift", shift.view(shape))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor + self.shift


@torch.no_grad()
def folded(
    network: nn.Module, batch: Batch, grids: Mapping[str, Grid], keep: bool = False
) -> tuple[nn.Module, dict[str, Grid]]:
    """A copy of the network without batch normalisation, and its weights' grids.

    A layer's weights are multiplied by γ/σ of each output channel, its bias gets the shift. Where the weights are on a
    grid with a scale for each output channel, that takes |γ/σ| and the integers take its sign: the numbers stay as
    exact as they were. Where they are on another grid, or stored in sixteen bits (``keep``), or where the lowest
    integer would change its sign and has no opposite, an :class:`Affine` stands in the place of the normalisation.

    Args:
        network: in eval mode; it stays as it is.
        batch: inputs to see by which normalisation reads which layer.
        grids: of its weights, by name.
        keep: no weight may change.
    """
    network = copy.deepcopy(network)
    grids = dict(grids)
    names = {module: name for name, module in network.named_modules()}
    for norm, layer in _pairs(network, batch).items():
        sigma = (norm.running_var + norm.eps).sqrt()
        gamma = torch.ones_like(sigma) if norm.weight is None else norm.weight
        beta = torch.zeros_like(sigma) if norm.bias is None else norm.bias
        factor, shift = gamma / sigma, beta - norm.running_mean * gamma / sigma
        name = f"{names[layer]}.weight" if layer is not None else ""
        grid = grids.get(name)
        per_channel = grid is None or (grid.axis == 0 and grid.group_size is None)
        turned = None if layer is None or grid is None or not per_channel else _turned(grid, layer.weight, factor)
        leaves = turned is not None and grid is not None and int(turned.max()) >= 2 ** (grid.bits - 1)
        if layer is None or keep or not per_channel or leaves or (factor == 0).any():
            _put(network, names[norm], Affine(factor, shift, 2 if isinstance(norm, nn.BatchNorm2d) else 0))
            continue
        if grid is None or turned is None:
            layer.weight.mul_(factor.view(-1, *[1] * (layer.weight.dim() - 1)))
        else:
            grids[name] = Grid(grid.scale * factor.abs(), grid.zero_point, grid.bits, 0)
            layer.weight.copy_(grids[name].reals(turned))
        bias = shift if layer.bias is None else shift + layer.bias * factor
        layer.bias = nn.Parameter(bias)
        _put(network, names[norm], nn.Identity())
    return network, grids


def _turned(grid: Grid, weight: Tensor, factor: Tensor) -> Tensor:
    """The integers of each output channel, times the sign of its factor."""
    return grid.integers(weight).to(torch.int16) * factor.sign().to(torch.int16).view(-1, *[1] * (weight.dim() - 1))


def _pairs(network: nn.Module, batch: Batch) -> dict[Any, Any]:
    """Every batch normalisation, and the layer whose output it alone reads; None where it reads anything else."""
    made: dict[int, tuple[nn.Module, Tensor]] = {}  # by address: the tensor is kept alive, so none is used twice
    calls: dict[nn.Module, int] = {}
    read: dict[nn.Module, list[nn.Module | None]] = {}

    def after(module: nn.Module, inputs: Any, output: Tensor) -> None:
        calls[module] = calls.get(module, 0) + 1
        if isinstance(module, _LAYERS):
            made[id(output)] = (module, output)
        else:
            found = made.get(id(inputs[0]))
            read.setdefault(module, []).append(None if found is None else found[0])

    handles = [m.register_forward_hook(after) for m in network.modules() if isinstance(m, (*_NORMS, *_LAYERS))]
    try:
        network(batch)
    finally:
        for handle in handles:
            handle.remove()
    return {norm: found[0] if len(found) == 1 and calls.get(found[0], 0) == 1 else None for norm, found in read.items()}


def _put(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(network.get_submodule(parent), own, module.eval())

"""Fitting grids: to weights, and to the range of what a layer reads."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.compression.quantized import Grid

FEWEST = 4
"""Weights of a channel that make a scale of its own worth its bytes."""

_SHRUNK = [1 - 0.02 * step for step in range(31)]  # 1 … 0.4 of the largest weight


def channel_axis(name: str, network: nn.Module, weight: Tensor) -> int:
    """A parameter's dimension of output channels: the first of linear layers and convolutions, the second of transposed
    ones, else the first that is larger than one (a position embedding (1, T, D) has a scale for each position)."""
    owner = network.get_submodule(name.rpartition(".")[0])
    if isinstance(owner, nn.modules.conv._ConvTransposeNd):
        return 1
    if isinstance(owner, nn.Linear | nn.modules.conv._ConvNd):  # of a single output too: two classes, a number
        return 0
    return next((axis for axis, size in enumerate(weight.shape) if size > 1), 0)


def quantizable(network: nn.Module) -> dict[str, int]:
    """{name of a parameter of two or more dimensions: its axis of channels}, shared ones by each of their names.

    Biases and normalisations' scales stay, as do weights of so short channels that scales would take what they save.
    """
    found: dict[str, int] = {}
    for name, weight in network.named_parameters(remove_duplicate=False):
        if weight.dim() >= 2:
            axis = channel_axis(name, network, weight)
            if weight.numel() >= FEWEST * weight.shape[axis]:
                found[name] = axis
    return found


@torch.no_grad()
def weight_grid(weight: Tensor, axis: int, bits: int = 8, group_size: int | None = None, fit: str = "max") -> Grid:
    """A symmetric grid for each channel, or each group of neighbours within one.

    scale = max|w| / (2^bits - 1) · 2, as torchao's ``MappingType.SYMMETRIC``: the largest weight lies half a step
    outside the last integer, and the steps are a little finer than those of max|w| / (2^(bits-1) - 1). Groups' scales
    are bfloat16 numbers, which is how they are stored.

    Args:
        weight: with a dimension ``axis`` of channels.
        fit: ``max``, or ``mse``: of 31 scales from that down to 0.4 of it, the one whose rounded weights have the least
            squared error; large weights are cut off where that serves the many.
    Shape:
        weight any -> scale (C,), or (C, G) with groups
    """
    rows = weight.detach().float().movedim(axis, 0).reshape(weight.shape[axis], -1)  # (C, n)
    width = rows.shape[1] if group_size is None else group_size
    rows = F.pad(rows, (0, -rows.shape[1] % width)).view(len(rows), -1, width)  # (C, G, n); zeros change nothing
    half = 2 ** (bits - 1)
    largest = rows.abs().amax(-1, keepdim=True) / (half - 0.5)  # (C, G, 1)

    def scaled(factor: float) -> Tensor:
        scale = largest * factor
        return _usable(scale if group_size is None else scale.bfloat16().float())

    scale = scaled(1.0)
    if fit == "mse":
        least = torch.full_like(scale, torch.inf)
        for factor in _SHRUNK:
            tried = scaled(factor)
            error = ((rows * (1 / tried)).round().clamp(-half, half - 1) * tried - rows).square().sum(-1, keepdim=True)
            better = error < least
            least, scale = torch.where(better, error, least), torch.where(better, tried, scale)
    scale = scale.squeeze(-1) if group_size is not None else scale[:, 0, 0]
    return Grid(scale, torch.zeros_like(scale, dtype=torch.int8), bits, axis, group_size)


def range_grid(low: Tensor, high: Tensor) -> Grid:
    """The asymmetric uint8 grid of a range, widened to hold 0.0, which is one of its numbers: what padding adds is
    exact. scale = (high - low) / 255, zero_point = round(-low / scale) (Jacob et al. 2018, section 2.3 and eq. 13;
    ONNX's QuantizeLinear).

    Shape:
        low, high () -> scale and zero_point ()
    """
    low, high = low.float().clamp(max=0), high.float().clamp(min=0)
    scale = _usable((high - low) / 255)
    return Grid(scale, (-low / scale).round().clamp(0, 255).to(torch.uint8))


def _usable(scale: Tensor) -> Tensor:
    """1 where all is 0, or so small that 1/scale would be infinite."""
    return torch.where(scale >= torch.finfo(torch.float32).tiny, scale, torch.ones_like(scale))

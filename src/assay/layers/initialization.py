"""Initialisation of a finished network: one function of a tensor, applied to every weight matrix."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def default(tensor: Tensor) -> Tensor:
    """What the layer did itself."""
    return tensor


def uniform(tensor: Tensor, bound: float) -> Tensor:
    """Uniform in (-bound, bound)."""
    return nn.init.uniform_(tensor, -bound, bound)


def normal(tensor: Tensor, std: float) -> Tensor:
    """Normal with mean 0."""
    return nn.init.normal_(tensor, 0.0, std)


@torch.no_grad()
def identity(tensor: Tensor) -> Tensor:
    """Ones on the diagonal, zeros elsewhere; for kernels, the pixel itself (Dirac). The stacked gates of a recurrent
    layer, (k·H, H), get a diagonal each.

    Le, Jaitly and Hinton, "A Simple Way to Initialize Recurrent Networks of Rectified Linear Units", 2015.
    """
    if tensor.dim() > 2:
        return nn.init.dirac_(tensor)
    rows, columns = tensor.shape
    blocks = rows // columns if rows % columns == 0 else 1
    tensor.zero_()
    for block in tensor.chunk(blocks):
        block.fill_diagonal_(1.0)
    return tensor


@torch.no_grad()
def initialize(network: nn.Module, init: Callable[[Tensor], Tensor]) -> None:
    """Applies ``init`` to every parameter of two or more dimensions and zeroes the biases beside them.

    ``default`` leaves the network as its layers made it. Normalisations keep their ones and zeros.
    """
    if getattr(init, "func", init) is default:
        return
    for module in network.modules():
        own = dict(module.named_parameters(recurse=False))
        if any(p.dim() >= 2 for p in own.values()):
            for name, p in own.items():
                if p.dim() >= 2:
                    init(p)
                elif "bias" in name:
                    p.zero_()
        padding = getattr(module, "padding_idx", None)
        if isinstance(module, nn.Embedding) and padding is not None:
            module.weight[padding].zero_()

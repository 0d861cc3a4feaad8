"""How weights start: ``init(tensor)`` fills one matrix in place, :func:`initialize` finds the matrices of a network.

torch.nn.init has most; here is what it lacks. It draws from torch's global generator, which run.py seeds once, before
the network is built.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def default(tensor: Tensor) -> Tensor:
    """As the layer made it."""
    return tensor


def uniform(tensor: Tensor, bound: float) -> Tensor:
    """U(-bound, bound)."""
    return nn.init.uniform_(tensor, -bound, bound)


def normal(tensor: Tensor, std: float) -> Tensor:
    """N(0, std²)."""
    return nn.init.normal_(tensor, 0.0, std)


def identity(tensor: Tensor) -> Tensor:
    """Ones on the main diagonal, zeros elsewhere; a convolution that hands on its input (Dirac's delta).

    Le, Jaitly and Hinton, "A Simple Way to Initialize Recurrent Networks of Rectified Linear Units", 2015,
    arXiv:1504.00941.
    """
    return nn.init.eye_(tensor) if tensor.dim() == 2 else nn.init.dirac_(tensor)


@torch.no_grad()
def initialize(network: nn.Module, init: Callable[..., Any]) -> None:
    """Applies ``init`` to every weight of two dimensions or more, and zeroes the biases beside them.

    Parameters of one dimension (the scales and shifts of a normalisation, PReLU's slope) keep their start. Matrices
    that a layer keeps stacked in one parameter (the gates of a recurrent net, the three projections of attention) are
    filled one by one, as the papers write them. Rows of an embedding that stand for padding stay zero.
    ``default`` changes nothing.
    """
    if getattr(init, "func", init) is default:
        return
    for module in network.modules():
        parameters = dict(module.named_parameters(recurse=False))
        matrices = [weight for weight in parameters.values() if weight.dim() >= 2]
        for weight in matrices:
            for block in weight.chunk(_stacked(module, weight)):
                init(block)
        if matrices:
            for name, bias in parameters.items():
                if bias.dim() == 1 and "bias" in name:
                    bias.zero_()
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            module.weight[module.padding_idx] = 0
    for module in network.modules():
        settle = getattr(module, "settle", None)  # what a layer of ours promises after any initialisation
        if settle is not None:
            settle()


def _stacked(module: nn.Module, weight: Tensor) -> int:
    """How many matrices a parameter holds, one above the other."""
    if isinstance(module, nn.RNNBase):
        return weight.shape[0] // module.hidden_size
    return int(getattr(module, "stacked", 1))

"""Weights held to a length: projected back after each step of the optimiser."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from assay.errors import ConfigError
from assay.optim.groups import found_by


class MaxNorm:
    """w ← w · min(1, value / ‖w‖₂) for each row w, the weights into one unit or of one filter, after each step.

    Hinton, Srivastava, Krizhevsky, Sutskever and Salakhutdinov, "Improving neural networks by preventing co-adaptation
    of feature detectors", 2012, arXiv:1207.0580, section 2: a bound on each unit's incoming weights, which lets the
    rate of learning start high. Kim, "Convolutional Neural Networks for Sentence Classification", 2014,
    arXiv:1408.5882, section 2.1, bounds the rows of the classifier by 3; so here, unless ``weights`` names others.
    Biases are free. Nothing waits for the device.

    Args:
        network: on the device where it will train.
        value: the largest length of a row.
        weights: names of parts, or patterns; weights of two dimensions or more that train are bounded.
    Raises:
        ConfigError: value is not positive, a name is nobody's, or it has no such weight.
    """

    def __init__(self, network: nn.Module, value: float, weights: Sequence[str]) -> None:
        if value <= 0:
            raise ConfigError(f"constraint.value={value:g} is no length above 0")
        named = dict(network.named_parameters())
        chosen: dict[str, Tensor] = {}
        for pattern in weights:
            names = found_by(pattern, named, "constraint.weights")
            rows = {name: named[name] for name in names if named[name].dim() > 1 and named[name].requires_grad}
            if not rows:
                raise ConfigError(f"constraint.weights names {pattern}, which has no rows of weights that train")
            chosen |= rows
        self.value = value
        self.names, self._weights = tuple(chosen), list(chosen.values())

    @torch.no_grad()
    def __call__(self) -> None:
        for weight in self._weights:
            lengths = torch.linalg.vector_norm(weight, dim=tuple(range(1, weight.dim())), keepdim=True)  # (units, 1, …)
            weight.mul_(self.value / lengths.clamp(min=self.value))  # exactly 1 for a short row

"""The sum of absolute batch-norm scales, as a term of the objective: what slimming trains with."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from assay.contracts import Batch, Output, Term
from assay.errors import ConfigError


class Scales(nn.Module):
    """The wrapped objective's terms, and λ Σ|γ| over the scales of all batch normalisations.

    Liu et al., "Learning Efficient Convolutional Networks through Network Slimming", 2017, arXiv:1708.06519, eq. 1
    with g(s) = |s|: channels whose scale comes near zero can be cut (``compression=slimming``). By the subgradient
    λ sign(γ), 0 at 0, as there. Counted by the example, so that micro-batches and processes add up to one λ Σ|γ|.

    Args:
        objective: the wrapped one.
        network: whose batch normalisations are summed, each once; it stays outside the module tree.
        strength: λ, beside a mean over examples; 0 is plain training. The paper uses 1e-4 and 1e-5.
    Shape:
        as the objective's -> its terms and {"scales": Term}, its weight the number of examples
    Raises:
        ConfigError: strength is negative, or there is no batch normalisation.
    """

    def __init__(self, objective: nn.Module, network: nn.Module, strength: float) -> None:
        super().__init__()
        if not strength >= 0:
            raise ConfigError(
                f"regularization.strength={strength:g} is negative: use regularization=none for no penalty"
            )
        self.objective = objective
        self.strength = strength
        layers = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.affine]
        if not layers:
            raise ConfigError(
                "regularization=scales sums the scales of batch normalisations, and this network has none: use "
                "normalization=batch, or regularization=l1"
            )
        self._layers = [layers]  # in a list they are outside the module tree: not saved or stepped twice

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(getattr(self.objective, "features", ()))

    def forward(self, output: Output, batch: Batch) -> dict[str, Term]:
        terms = self.objective(output, batch)
        size = torch.stack([layer.weight.abs().sum() for layer in self._layers[0]]).sum()
        count = len(batch["index"])
        return {**terms, "scales": Term(self.strength * count * size, float(count))}

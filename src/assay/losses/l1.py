"""The sum of absolute weights, as a term of the objective."""

from __future__ import annotations

import torch
from torch import nn

from assay.contracts import Batch, Output, Term
from assay.errors import ConfigError


class L1(nn.Module):
    """The wrapped objective's terms, and λ Σ|w| over the network's weights.

    Tibshirani, "Regression Shrinkage and Selection via the Lasso", 1996. The squared norm, L2, is an optimiser's
    weight_decay. Differs from the paper: biases, and the scales and shifts of normalisations (parameters of one
    dimension), are free; the subgradient λ sign(w), 0 at 0, brings weights near zero, where the lasso's solvers make
    them zero. Counted by the example, so that micro-batches and processes add up to one λ Σ|w|.

    Args:
        objective: the wrapped one.
        network: whose weights of two dimensions or more are summed, each once; it stays outside the module tree.
        strength: λ, beside a mean over examples; 0 is plain training.
    Shape:
        as the objective's -> its terms and {"l1": Term}, its weight the number of examples
    Raises:
        ConfigError: strength is negative.
    """

    def __init__(self, objective: nn.Module, network: nn.Module, strength: float) -> None:
        super().__init__()
        if not strength >= 0:
            raise ConfigError(
                f"regularization.strength={strength:g} is negative: use regularization=none for no penalty"
            )
        self.objective = objective
        self.strength = strength
        self._network = [network]  # in a list it is outside the module tree: not saved or stepped twice

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(getattr(self.objective, "features", ()))

    def forward(self, output: Output, batch: Batch) -> dict[str, Term]:
        terms = self.objective(output, batch)
        weights = [weight for weight in self._network[0].parameters() if weight.dim() >= 2]
        size = torch.stack([weight.abs().sum() for weight in weights]).sum()
        count = len(batch["index"])
        return {**terms, "l1": Term(self.strength * count * size, float(count))}

"""Mixup: training on convex mixtures of examples and labels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from assay.contracts import Batch, DataSpec
from assay.errors import ConfigError
from assay.layers.random import example_uniform

_CELLS = 4096


class Mixup:
    """x̃ = λ x_i + (1 - λ) x_j, ỹ = λ y_i + (1 - λ) y_j, with λ ~ Beta(α, α).

    Zhang, Cissé, Dauphin and Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", ICLR 2018, arXiv:1710.09412, eq. 1
    and figure 1a. Partners j are a random permutation of the batch, as there.
    Differs: λ is drawn for each example, where the paper's code draws one for a batch; so that λ is a function of
    (seed, epoch, example) and a replayed batch mixes alike. The permutation orders the batch by such numbers.

    Args:
        spec: of the data; the source must be numbers.
        seed: of the run.
        alpha: of the Beta distribution; small values leave most examples nearly as they are.
    Shape:
        batch -> the same; a class label (B,) int64 becomes a distribution (B, C) float32
    Raises:
        ConfigError: alpha is not positive, or the source holds token ids or categories.
    """

    mixes = True  # examples of a batch with each other: to be given whole batches

    def __init__(self, spec: DataSpec, seed: int, alpha: float = 0.2) -> None:
        if not alpha > 0:
            raise ConfigError(f"augment.mixup.alpha={alpha:g} is not positive")
        if spec.source.kind not in ("image", "sequence", "vector"):
            raise ConfigError(f"augment=mixup mixes numbers, and this data holds {spec.source.kind}: use augment=[]")
        self.seed, self.alpha = seed, alpha
        self.kind, self.classes = spec.label.kind, spec.label.size
        self._lambda, self._cdf = beta_table(alpha)

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        index = batch["index"]
        partner = torch.argsort(example_uniform(self.seed, epoch, index, "mixup partner"), stable=True)  # (B,)
        weight = self.weights(epoch, index)  # (B,) float64
        label = batch["label"]
        if self.kind == "class" and self.classes is not None:
            label = one_hot(label, self.classes).to(torch.float32)  # (B, C)
        return {
            **batch,
            "source": _mix(batch["source"], partner, weight),
            "label": _mix(label, partner, weight),
        }

    def weights(self, epoch: int, index: Tensor) -> Tensor:
        """λ of each example (B,) float64: the quantile of Beta(α, α) at its uniform number."""
        if self._cdf.device != index.device:
            self._lambda, self._cdf = self._lambda.to(index.device), self._cdf.to(index.device)
        u = example_uniform(self.seed, epoch, index, "mixup weight")
        low = torch.minimum(u, 1 - u)  # the distribution is symmetric about 1/2
        place = torch.searchsorted(self._cdf, low).clamp_(1, _CELLS)
        left, right = self._cdf[place - 1], self._cdf[place]
        share = (low - left) / (right - left).clamp(min=torch.finfo(torch.float64).tiny)
        value = self._lambda[place - 1] + share * (self._lambda[place] - self._lambda[place - 1])
        return torch.where(u < 0.5, value, 1 - value)


def _mix(x: Tensor, partner: Tensor, weight: Tensor) -> Tensor:
    shaped = weight.to(x.dtype).reshape(-1, *[1] * (x.dim() - 1))
    return shaped * x + (1 - shaped) * x[partner]


def beta_table(alpha: float) -> tuple[Tensor, Tensor]:
    """Values in [0, 1/2] and the distribution function of Beta(α, α) at them, (cells + 1,) float64 each.

    With x = v^p / 2 and p = max(1, 1/α), dF ∝ v^(pα - 1) (1 - x)^(α - 1) dv has no pole at 0, so a sum over the
    midpoints of an even grid of v is accurate; F(1/2) = 1/2 gives the constant.
    """
    power = max(1.0, 1 / alpha)
    edges = torch.linspace(0, 1, _CELLS + 1, dtype=torch.float64)
    middle = (edges[1:] + edges[:-1]) / 2
    density = middle ** (power * alpha - 1) * (1 - middle**power / 2) ** (alpha - 1)
    cdf = torch.cat([torch.zeros(1, dtype=torch.float64), density.cumsum(0)])
    return edges**power / 2, cdf / cdf[-1] / 2

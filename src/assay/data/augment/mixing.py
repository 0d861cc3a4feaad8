"""What mixup and cutmix share: partners, random shares, and the label and weight of a mixture."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from assay.contracts import Batch, Field
from assay.layers.random import example_uniform

_CELLS = 4096


def partners(seed: int, epoch: int, index: Tensor, name: str) -> Tensor:
    """(B,) int64: a random permutation of the batch, the order of keyed numbers."""
    return torch.argsort(example_uniform(seed, epoch, index, name), stable=True)


def mixed_targets(batch: Batch, partner: Tensor, share: Tensor, field: Field) -> Batch:
    """``label`` and, where examples have one, ``weight`` of mixtures that are ``share`` (B,) of an example and the rest
    of its partner.

    ỹ = λ y_i + (1 - λ) y_j; a class becomes a distribution. With weights w̃ = λ w_i + (1 - λ) w_j and
    ỹ = (λ w_i y_i + (1 - λ) w_j y_j) / w̃ the loss w̃ ℓ(ỹ) is λ w_i ℓ(y_i) + (1 - λ) w_j ℓ(y_j): exactly, where ℓ is
    linear in y (cross-entropy, focal), and up to what no parameter changes for squared error and divergence.

    Shape:
        label (B,) int64, (B, C), (B, L) or (B,) float -> (B, C), (B, L) or (B,) float32
    """
    label = batch["label"]
    if field.kind == "class" and not label.is_floating_point():  # else an earlier mixture's distribution
        assert field.size is not None
        label = one_hot(label, field.size).to(torch.float32)  # (B, C)
    weight = batch.get("weight")
    if weight is None:
        return {"label": blend(label, label[partner], share)}
    own, other = share * weight, (1 - share) * weight[partner]
    total = own + other
    # examples without weight count for nothing, whatever their label
    share = torch.where(total > 0, own / torch.where(total > 0, total, 1), share)
    return {"label": blend(label, label[partner], share), "weight": total.to(weight.dtype)}


def blend(x: Tensor, other: Tensor, share: Tensor) -> Tensor:
    """λ x + (1 - λ) other, λ (B,) one number per example."""
    shaped = share.to(x.dtype).reshape(-1, *[1] * (x.dim() - 1))
    return shaped * x + (1 - shaped) * other


class Beta:
    """Numbers of Beta(α, α) by their quantiles, from a table: torch has no inverse of its distribution function.

    Args:
        alpha: α > 0.
    """

    def __init__(self, alpha: float) -> None:
        self._root, self._cdf, self._power = beta_table(alpha)

    def __call__(self, u: Tensor) -> Tensor:
        """The quantiles (B,) float64 at u (B,) float64 in [0, 1)."""
        if self._cdf.device != u.device:
            self._root, self._cdf = self._root.to(u.device), self._cdf.to(u.device)
        low = torch.minimum(u, 1 - u)  # the distribution is symmetric about 1/2
        place = torch.searchsorted(self._cdf, low).clamp_(1, _CELLS)
        left, right = self._cdf[place - 1], self._cdf[place]
        part = (low - left) / (right - left).clamp(min=torch.finfo(torch.float64).tiny)
        root = self._root[place - 1] + part * (self._root[place] - self._root[place - 1])
        value = root**self._power / 2
        return torch.where(u < 0.5, value, 1 - value)


def beta_table(alpha: float) -> tuple[Tensor, Tensor, float]:
    """v in [0, 1], the distribution function of Beta(α, α) at x = v^p / 2, (cells + 1,) float64 each, and p.

    With p = max(1, 1/α), dF ∝ v^(pα - 1) (1 - x)^(α - 1) dv has no pole at 0, so a sum over the midpoints of an even
    grid of v is accurate, and F is nearly straight between its places; F(1/2) = 1/2 gives the constant.
    """
    power = max(1.0, 1 / alpha)
    edges = torch.linspace(0, 1, _CELLS + 1, dtype=torch.float64)
    middle = (edges[1:] + edges[:-1]) / 2
    density = middle ** (power * alpha - 1) * (1 - middle**power / 2) ** (alpha - 1)
    cdf = torch.cat([torch.zeros(1, dtype=torch.float64), density.cumsum(0)])
    return edges, cdf / cdf[-1] / 2, power

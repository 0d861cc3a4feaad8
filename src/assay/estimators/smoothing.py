"""How counts of n-grams give way to shorter contexts: additive smoothing, and Kneser-Ney's with one discount or 3."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.errors import ConfigError

FALLBACK = (0.5, 1.0, 1.5)
"""Discounts of counts of 1, 2, and 3 and more, where there is too little text to estimate one: those of KenLM's
``--discount_fallback`` (Heafield et al. 2013)."""


class Additive:
    """p(w | c) = (count(c w) + δ) / (Σ_w count(c w) + δ V), c of n - 1 words alone.

    Lidstone 1920, Jeffreys 1948; Chen and Goodman 1999, section 2.1. Of an unseen context it is 1/V.

    Args:
        added: δ.
        size: V.
        highest: n - 1, the level whose counts are read.
    """

    def __init__(self, added: float, size: int, highest: int) -> None:
        self.added, self.size, self.highest = added, size, highest

    def __call__(self, k: int, counts: Tensor, context: Tensor, contexts: int) -> tuple[Tensor, Tensor]:
        seen = counts.double()
        if k < self.highest:
            return torch.zeros_like(seen), torch.ones(contexts, dtype=torch.float64, device=seen.device)
        total = seen.new_zeros(contexts).index_add_(0, context, seen) + self.added * self.size
        return seen / total[context], self.added * self.size / total


class KneserNey:
    """p(w | c) = max(a(c w) - D, 0) / Σ_w a(c w) + γ(c) p(w | c without its oldest word), down to 1/V.

    Kneser and Ney 1995, interpolated, as Chen and Goodman 1999, section 2.7; with three discounts, of counts of 1, 2,
    and 3 and more, their modified form, section 3. a are the counts of :func:`assay.estimators.ngram_tables.fitted`: of
    n-grams of the highest order, below it of the different words before them. Discounts are estimated for each order
    from the numbers n_r of n-grams with a = r: D = Y = n1 / (n1 + 2 n2); of three D_r = r - (r + 1) Y n_{r+1} / n_r.

    Args:
        discounts: 1 or 3.
        fixed: D of every order and count; None: estimated.
    """

    def __init__(self, discounts: int, fixed: float | None) -> None:
        self.discounts, self.fixed = discounts, fixed

    def __call__(self, k: int, counts: Tensor, context: Tensor, contexts: int) -> tuple[Tensor, Tensor]:
        seen = counts.double()
        discount = torch.tensor(self.estimated(counts), dtype=torch.float64, device=seen.device)
        taken = torch.minimum(discount[counts.clamp(max=3) - 1], seen)
        total = seen.new_zeros(contexts).index_add_(0, context, seen)
        left = seen.new_zeros(contexts).index_add_(0, context, taken)
        return (seen - taken) / total[context], left / total

    def estimated(self, counts: Tensor) -> list[float]:
        """The discounts of counts of 1, 2, and 3 and more."""
        if self.fixed is not None:
            return [self.fixed] * 3
        n1, n2, n3, n4 = (int((counts == r).sum()) for r in (1, 2, 3, 4))
        if not n1:
            return [FALLBACK[0]] * 3 if self.discounts == 1 else list(FALLBACK)
        y = n1 / (n1 + 2 * n2)
        if self.discounts == 1:
            return [y] * 3
        pairs = ((1, n1, n2), (2, n2, n3), (3, n3, n4))
        found = [r - (r + 1) * y * above / here if here else 0.0 for r, here, above in pairs]
        return [d if 0 < d <= r else FALLBACK[r - 1] for r, d in enumerate(found, 1)]


def smoothing_of(name: str, k: float, discount: str | float, size: int, order: int) -> Additive | KneserNey:
    """The option of that name.

    Raises:
        ConfigError: there is none, or a discount is no number between 0 and 1.
    """
    if name == "additive":
        return Additive(k, size, order - 1)
    if name not in ("kneser_ney", "modified_kneser_ney"):
        raise ConfigError(f"model.smoothing={name} is not one of additive, kneser_ney, modified_kneser_ney")
    if discount != "auto" and (isinstance(discount, str) or not 0 < discount < 1):
        raise ConfigError(f"model.discount={discount} is neither auto nor a number between 0 and 1")
    fixed = None if discount == "auto" else float(discount)
    return KneserNey(1 if name == "kneser_ney" else 3, fixed)

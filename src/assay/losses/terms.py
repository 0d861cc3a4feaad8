"""From one loss per labelled thing to a :class:`Term`."""

from __future__ import annotations

from torch import Tensor

from assay.contracts import Term


def term(each: Tensor, mask: Tensor | None, weight: Tensor | None) -> Term:
    """Σ w·loss and Σ w over what counts.

    Args:
        each: the losses, (B,), (B, T) or (B, L).
        mask: of the same shape, False where nothing is labelled; None where all is.
        weight: (B,), of each example; None where all count once.
    """
    if mask is None and weight is None:
        return Term(each.sum(), float(each.numel()))
    counts = each.new_ones(each.shape) if mask is None else mask.to(each.dtype)
    if weight is not None:
        counts = counts * weight.to(each.dtype).view(-1, *[1] * (each.dim() - 1))
    if mask is not None:
        each = each.masked_fill(~mask, 0)  # a padded position may hold anything, infinity included
    return Term((each * counts).sum(), counts.sum())

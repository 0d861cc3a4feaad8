"""Cross-entropy: of one class, of several labels, of a distribution over classes."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from assay.contracts import Batch, Output, Term
from assay.losses.labels import under_label
from assay.losses.terms import term

_LEFT_OUT = -100  # torch's own number for a position that does not count


class CrossEntropy(nn.Module):
    """-Σ_c q'_c log p_c with q' = (1-ε) q + ε/C, summed over labelled things; q is 1 at the label.

    Label smoothing: Szegedy et al., "Rethinking the Inception Architecture", 2016, arXiv:1512.00567, section 7. Several
    labels are as many Bernoulli distributions (C = 2 each). Labels with a fraction are taken as q itself, as torch's
    ``cross_entropy`` takes them.

    Args:
        label_smoothing: ε, the mass spread evenly over all classes.
    Shape:
        log_probs (…, C) with label (…) int64 or (…, C) float; log_probs (B, L, 2) with label (B, L) float
        -> {"cross_entropy": Term}, its weight the number of labelled things, examples weighted by ``batch["weight"]``
    """

    features: tuple[str, ...] = ()

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, output: Output, batch: Batch) -> dict[str, Term]:
        log_probs, label, mask, weight = output.log_probs, batch["label"], output.mask, batch.get("weight")
        assert log_probs is not None
        if not label.is_floating_point() and weight is None and self.label_smoothing == 0:
            return {"cross_entropy": _of_classes(log_probs, label, mask)}
        return {"cross_entropy": term(self._each(log_probs, label, mask), mask, weight)}

    def _each(self, log_probs: Tensor, label: Tensor, mask: Tensor | None) -> Tensor:
        """(…): the cross-entropy of each labelled thing."""
        each = -under_label(log_probs, label, mask)
        if self.label_smoothing == 0:
            return each
        return (1 - self.label_smoothing) * each - self.label_smoothing * log_probs.mean(-1)


def _of_classes(log_probs: Tensor, label: Tensor, mask: Tensor | None) -> Term:
    """The usual case by torch's kernel, which is faster for many classes: its gradient is made in one pass."""
    flat = log_probs.flatten(0, -2)  # (N, C)
    if mask is None:
        return Term(F.nll_loss(flat, label.flatten(), reduction="sum"), float(label.numel()))
    counted = label.masked_fill(~mask, _LEFT_OUT).flatten()
    return Term(F.nll_loss(flat, counted, reduction="sum", ignore_index=_LEFT_OUT), mask.sum())

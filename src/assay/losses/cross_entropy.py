"""Cross-entropy: the negative log-likelihood of the label under the output's distribution."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.contracts import Batch, Output, Term
from assay.errors import ConfigError


class CrossEntropy(nn.Module):
    """-Σ_c q(c) log p(c), where q is the label: one class, a distribution, or present and absent for each of L labels.

    With smoothing ε, q becomes (1 - ε) q + ε / C (Szegedy et al., "Rethinking the Inception Architecture", 2016,
    section 7). Differs from it: labels are smoothed each as their own two classes.

    Args:
        label_smoothing: ε.
    Shape:
        output.log_probs (…, C); batch["label"] integer (…) is an index, floating (…, C) a distribution, and floating
        (…) the probability of the second of two classes -> one term, weighted by the number of labels that count
    Raises:
        ConfigError: ε is outside [0, 1), or the output has no distribution.
    """

    features: tuple[str, ...] = ()

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise ConfigError(f"loss.label_smoothing={label_smoothing:g} is not in [0, 1)")
        self.label_smoothing = label_smoothing

    def forward(self, output: Output, batch: Batch) -> dict[str, Term]:
        log_probs, label = output.log_probs, batch["label"]
        if log_probs is None:
            raise ConfigError("loss=cross_entropy needs a distribution over classes; a number has none: use loss=mse")
        if not label.is_floating_point() and not self.label_smoothing and output.mask is None and "weight" not in batch:
            flat = log_probs.reshape(-1, log_probs.shape[-1])
            return {"cross_entropy": Term(F.nll_loss(flat, label.reshape(-1), reduction="sum"), label.numel())}
        each = self._each(log_probs, label)  # (…) one per label
        total, weight = _weighted(each, output.mask, batch.get("weight"))
        return {"cross_entropy": Term(total, weight)}

    def _each(self, log_probs: Tensor, label: Tensor) -> Tensor:
        if not label.is_floating_point():
            nll = -log_probs.gather(-1, label.unsqueeze(-1)).squeeze(-1)
        elif label.shape == log_probs.shape:
            nll = -(label * log_probs).sum(-1)
        else:  # the probability of the second class
            nll = -(label * log_probs[..., 1] + (1 - label) * log_probs[..., 0])
        if not self.label_smoothing:
            return nll
        return (1 - self.label_smoothing) * nll - self.label_smoothing * log_probs.mean(-1)


def _weighted(each: Tensor, mask: Tensor | None, weight: Tensor | None) -> tuple[Tensor, Tensor | float]:
    """Total and weight of per-label losses: masked positions and examples of weight 0 count for nothing."""
    if mask is None and weight is None:
        return each.sum(), float(each.numel())
    scale = torch.ones_like(each)
    if mask is not None:
        scale = scale * mask
    if weight is not None:
        scale = scale * weight.reshape(-1, *[1] * (each.dim() - 1))
    return (each * scale).sum(), scale.sum()

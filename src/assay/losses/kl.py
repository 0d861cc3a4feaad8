"""Kullback-Leibler divergence of what is predicted from what the label says."""

from __future__ import annotations

import torch
from torch import nn

from assay.contracts import Batch, Output, Term
from assay.errors import ConfigError
from assay.losses.labels import distribution
from assay.losses.terms import term


class KullbackLeibler(nn.Module):
    """KL(q' ‖ p) = Σ_c q'_c (log q'_c - log p_c) with q' = (1-ε) q + ε/C, summed over labelled things; q is 1 at the
    label.

    Kullback and Leibler, "On Information and Sufficiency", 1951. It is cross-entropy less the entropy of q': the same
    gradient, and 0 for a perfect answer where labels are smoothed, mixed or otherwise distributions. Several labels are
    as many Bernoulli distributions.

    Args:
        label_smoothing: ε, the mass spread evenly over all classes.
    Shape:
        log_probs (…, C) with label (…) int64 or (…, C) float; log_probs (B, L, 2) with label (B, L) float
        -> {"kl": Term}, its weight the number of labelled things, examples weighted by ``batch["weight"]``
    Raises:
        ConfigError: label_smoothing is outside [0, 1).
    """

    features: tuple[str, ...] = ()

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise ConfigError(f"loss.label_smoothing={label_smoothing:g} is not in [0, 1)")
        self.label_smoothing = label_smoothing

    def forward(self, output: Output, batch: Batch) -> dict[str, Term]:
        log_probs, mask = output.log_probs, output.mask
        assert log_probs is not None
        q = distribution(batch["label"], log_probs, mask)  # (…, C)
        if self.label_smoothing:
            q = (1 - self.label_smoothing) * q + self.label_smoothing / q.shape[-1]
        each = (torch.xlogy(q, q) - q * log_probs).sum(-1)  # 0 · log 0 = 0
        return {"kl": term(each, mask, batch.get("weight"))}

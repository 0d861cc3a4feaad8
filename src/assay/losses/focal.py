"""Focal loss: cross-entropy that turns away from what is already answered well."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from assay.contracts import Batch, Output, Term
from assay.errors import ConfigError
from assay.losses.labels import under_label
from assay.losses.terms import term


class Focal(nn.Module):
    """-Σ_c q_c (1 - p_c)^γ log p_c, summed over labelled things; q is 1 at the label.

    Lin, Goyal, Girshick, He and Dollár, "Focal Loss for Dense Object Detection", 2017, arXiv:1708.02002, eq. 4. Several
    labels are as many Bernoulli distributions, as there. Differs from the paper: without the balancing α of eq. 5; of
    several classes and of distributions (mixup) it is the expectation under q; the sum is divided by the number of
    labelled things, theirs by the number of objects in an image.

    Args:
        gamma: γ; 0 is cross-entropy.
    Shape:
        log_probs (…, C) with label (…) int64 or (…, C) float; log_probs (B, L, 2) with label (B, L) float
        -> {"focal": Term}, its weight the number of labelled things, examples weighted by ``batch["weight"]``
    Raises:
        ConfigError: gamma is negative.
    """

    features: tuple[str, ...] = ()

    def __init__(self, gamma: float = 2.0) -> None:
        super().__init__()
        if not gamma >= 0:
            raise ConfigError(f"loss.gamma={gamma:g} is negative: use loss.gamma=0 for plain cross-entropy")
        self.gamma = gamma

    def forward(self, output: Output, batch: Batch) -> dict[str, Term]:
        log_probs, label, mask = output.log_probs, batch["label"], output.mask
        assert log_probs is not None
        each = -under_label(self._doubt(log_probs) * log_probs, label, mask)
        return {"focal": term(each, mask, batch.get("weight"))}

    def _doubt(self, log_probs: Tensor) -> Tensor:
        """(1 - p)^γ; kept from 0, where its slope is infinite for γ < 1 and would make nan of the factor log p = 0."""
        tiny = torch.finfo(log_probs.dtype).tiny
        return (-torch.expm1(log_probs)).clamp(min=tiny).pow(self.gamma)

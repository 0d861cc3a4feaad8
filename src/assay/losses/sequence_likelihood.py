"""Negative log-likelihood of a whole sequence of tags."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.contracts import Batch, Output, Term
from assay.layers import crf


class SequenceLikelihood(nn.Module):
    """-log p(y_1 … y_T | x), summed over sequences (weighted by ``batch["weight"]``); its weight is the number of
    positions, so that it is a mean over tags, as cross-entropy of tags is: a learning rate means the same with both, a
    long sentence counts as its tags do, and micro-batches and processes add up.

    Lafferty, McCallum and Pereira, "Conditional Random Fields", 2001, section 3. Differs from the paper: of a target
    that the chain forbids, see :func:`negative_log_likelihood`.

    Shape:
        logits (B, T, C), chain, label (B, T) int64, -1 where padded -> {"sequence_likelihood": Term}
    """

    features: tuple[str, ...] = ()

    def forward(self, output: Output, batch: Batch) -> dict[str, Term]:
        label, weight = batch["label"], batch.get("weight")
        each = negative_log_likelihood(output, label)  # (B,)
        counts = _valid(output, label).sum(1).to(each.dtype)
        if weight is not None:
            each, counts = each * weight.to(each.dtype), counts * weight.to(each.dtype)
        return {"sequence_likelihood": Term(each.sum(), counts.sum())}


def negative_log_likelihood(output: Output, label: Tensor) -> Tensor:
    """(B,): -log p(label); without a chain the sum over positions.

    A target that the chain forbids would be infinitely unlikely. It is counted as one more possible sequence, its
    forbidden steps scoring 0: p = e^s / (Z + e^s). The loss is then finite, at least 0, and learns to prefer the target
    to everything allowed; no other sequence is touched by it.

    Shape:
        logits (B, T, C), label (B, T) int64, -1 where padded
    """
    valid = _valid(output, label)
    if output.chain is None:
        log_probs = output.logits.log_softmax(-1)
        own = log_probs.gather(-1, label.masked_fill(~valid, 0).unsqueeze(-1)).squeeze(-1)
        return -torch.where(valid, own, 0).sum(1)
    odds = crf.log_odds(output.logits, valid, output.chain, label)
    return -torch.where(crf.possible(valid, output.chain, label), odds, F.logsigmoid(odds))


def _valid(output: Output, label: Tensor) -> Tensor:
    return label >= 0 if output.mask is None else output.mask & (label >= 0)

"""Absolute error of a number."""

from __future__ import annotations

from torch import nn

from assay.contracts import Batch, Output, Term
from assay.losses.terms import term


class MeanAbsoluteError(nn.Module):
    """|z - y|, summed over examples (weighted by ``batch["weight"]``): the mean once the loop has divided.

    Shape:
        logits z (B,), label y (B,) float -> {"mae": Term}
    """

    features: tuple[str, ...] = ()

    def forward(self, output: Output, batch: Batch) -> dict[str, Term]:
        z, y = output.logits, batch["label"]
        assert z.shape == y.shape, f"label {y.shape} for logits {z.shape}"
        return {"mae": term((z - y.to(z.dtype)).abs(), output.mask, batch.get("weight"))}

"""Squared error of a number."""

from __future__ import annotations

from torch import nn

from assay.contracts import Batch, Output, Term
from assay.losses.terms import term


class MeanSquaredError(nn.Module):
    """(z - y)², summed over examples (weighted by ``batch["weight"]``): the mean once the loop has divided.

    Shape:
        logits z (B,), label y (B,) float -> {"mse": Term}
    """

    features: tuple[str, ...] = ()

    def forward(self, output: Output, batch: Batch) -> dict[str, Term]:
        z, y = output.logits, batch["label"]
        assert z.shape == y.shape, f"label {y.shape} for logits {z.shape}"
        return {"mse": term((z - y.to(z.dtype)).square(), output.mask, batch.get("weight"))}

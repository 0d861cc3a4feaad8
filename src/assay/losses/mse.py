"""Squared error of a number."""

from __future__ import annotations

from torch import nn

from assay.contracts import Batch, Output, Term


class MeanSquaredError(nn.Module):
    """(y - ŷ)², summed over the batch.

    Shape:
        output.logits (B,), batch["label"] (B,) float -> one term of weight B, or the sum of batch["weight"] (B,)
    """

    features: tuple[str, ...] = ()

    def forward(self, output: Output, batch: Batch) -> dict[str, Term]:
        each = (output.logits - batch["label"]) ** 2  # (B,)
        if "weight" not in batch:
            return {"mse": Term(each.sum(), len(each))}
        return {"mse": Term((each * batch["weight"]).sum(), batch["weight"].sum())}

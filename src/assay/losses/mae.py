"""Absolute error of a number."""

from __future__ import annotations

from torch import nn

from assay.contracts import Batch, Output, Term


class MeanAbsoluteError(nn.Module):
    """|y - ŷ|, summed over the batch.

    Shape:
        output.logits (B,), batch["label"] (B,) float -> one term of weight B, or the sum of batch["weight"] (B,)
    """

    features: tuple[str, ...] = ()

    def forward(self, output: Output, batch: Batch) -> dict[str, Term]:
        each = (output.logits - batch["label"]).abs()  # (B,)
        if "weight" not in batch:
            return {"mae": Term(each.sum(), len(each))}
        return {"mae": Term((each * batch["weight"]).sum(), batch["weight"].sum())}

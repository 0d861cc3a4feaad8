"""Huber's loss of a number: squared where the error is small, absolute where it is large."""

from __future__ import annotations

from torch import nn
from torch.nn import functional as F

from assay.contracts import Batch, Output, Term
from assay.errors import ConfigError
from assay.losses.terms import term


class Huber(nn.Module):
    """d²/2 where |d| ≤ δ, δ (|d| - δ/2) elsewhere, with d = z - y; summed over examples (weighted by
    ``batch["weight"]``): the mean once the loop has divided.

    Huber, "Robust Estimation of a Location Parameter", 1964, eq. 2.6 with k = δ. Numbers are learnt in deviations of
    the training split, and so is δ.

    Args:
        delta: δ, where the square ends; large ones give half of loss=mse, small ones δ times loss=mae.
    Shape:
        logits z (B,), label y (B,) float -> {"huber": Term}
    Raises:
        ConfigError: delta is not positive.
    """

    features: tuple[str, ...] = ()

    def __init__(self, delta: float = 1.0) -> None:
        super().__init__()
        if not delta > 0:
            raise ConfigError(f"loss.delta={delta:g} is not positive: use loss=mae for the limit at 0")
        self.delta = delta

    def forward(self, output: Output, batch: Batch) -> dict[str, Term]:
        z, y = output.logits, batch["label"]
        assert z.shape == y.shape, f"label {y.shape} for logits {z.shape}"
        each = F.huber_loss(z, y.to(z.dtype), reduction="none", delta=self.delta)
        return {"huber": term(each, output.mask, batch.get("weight"))}

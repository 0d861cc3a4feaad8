"""The likeliest token, each time."""

from __future__ import annotations

from torch import Tensor


def greedy(logits: Tensor, position: int) -> Tensor:
    """argmax over the vocabulary: logits (B, V) -> tokens (B,). What is likeliest at each step need not be the
    likeliest text: :mod:`assay.decoding.beam` looks for that."""
    return logits.argmax(-1)

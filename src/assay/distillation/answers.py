"""What a teacher answers to a batch: asked now, or kept beside the examples."""

from __future__ import annotations

from collections.abc import Callable

from assay.contracts import Batch, Output

KEY = "teacher"
"""The field of a batch that holds kept answers: log-probabilities (B, C) or (B, L, 2), of a regression numbers (B,)."""


def answered(teacher: Callable[[Batch], Output], batch: Batch) -> Output:
    """The teacher's output. Kept log-probabilities stand for logits too: both have the same softmax at every
    temperature."""
    kept = batch.get(KEY)
    if kept is None:
        return teacher(batch)
    return Output(kept, kept if kept.dim() > 1 else None)

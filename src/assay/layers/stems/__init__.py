"""Stems: from the fields of a batch to what a model reads."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from assay.contracts import Batch


def read(stem: Any, batch: Batch) -> tuple[Tensor, Tensor | None]:
    """What the stem makes of ``batch["source"]`` and of the fields that it names in ``fields``: (x, mask)."""
    return stem(batch["source"], **{name: batch[name] for name in getattr(stem, "fields", ())})

"""Words and their features read as ids side by side."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from assay.contracts import DataSpec, Field


class Tokens(nn.Module):
    """(w_t, f_t1, …, f_tK): the id of a word, then that of each of its features.

    Args:
        field: ``ids``, the words.
        spec: of the data: which features there are.
    Attributes:
        sizes: (V, F_1, …, F_K), how many ids each has.
    Shape:
        x (B, T) int64, features (B, T) each -> (B, T, 1 + K) int64, mask (B, T) bool
    """

    def __init__(self, field: Field, spec: DataSpec) -> None:
        super().__init__()
        found = {name: one for name, one in spec.inputs.items() if one.kind == "feature"}
        self.padding_id = field.padding_id
        self.fields = tuple(found)
        self.sizes = tuple(one.size or 0 for one in (field, *found.values()))
        self.output_shape: tuple[int | None, ...] = (*field.shape, len(self.sizes))

    def forward(self, x: Tensor, /, **fields: Tensor) -> tuple[Tensor, Tensor | None]:
        mask = None if self.padding_id is None else x != self.padding_id
        return torch.stack([x, *(fields[name] for name in self.fields)], -1), mask  # (B, T, 1 + K)

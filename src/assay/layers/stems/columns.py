"""Columns of a table as one vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from assay.contracts import Field


class Columns(nn.Module):
    """Numbers as they are, then a learned vector per category of each categorical column (Guo and Berkhahn, "Entity
    Embeddings of Categorical Variables", 2016).

    Args:
        field: of kind table; ``cardinalities`` has a 0 for each numeric column.
        size: of a category's vector.
    Shape:
        (B, D) float, categories as their codes -> (B, numeric + size · categorical), no mask
    """

    def __init__(self, field: Field, size: int) -> None:
        super().__init__()
        kinds = field.cardinalities
        self.numeric = [i for i, kind in enumerate(kinds) if kind == 0]
        self.categorical = [i for i, kind in enumerate(kinds) if kind]
        self.tables = nn.ModuleList(nn.Embedding(kinds[i], size) for i in self.categorical)
        self.output_shape = (len(self.numeric) + size * len(self.categorical),)

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        parts = [x[:, self.numeric]]
        parts += [table(x[:, i].long()) for table, i in zip(self.tables, self.categorical, strict=True)]
        return torch.cat(parts, 1), None

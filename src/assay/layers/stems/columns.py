"""A table's columns read as one vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from assay.contracts import Field
from assay.errors import ConfigError


class Columns(nn.Module):
    """Numbers as they are, then one learned vector per categorical column.

    Entity embeddings, Guo and Berkhahn 2016, arXiv:1604.06737, section 3. All columns share one table of vectors, each
    with rows of its own, so that one lookup serves them. Code 0 (empty, or a category that training did not hold)
    starts as the zero vector and is learnt where the training split has empty cells.

    Args:
        field: a ``table``; ``cardinalities`` c holds 0 for a number, else codes 0 … c - 1.
        size: of a category's vector.
    Shape:
        x (B, D) float, codes included -> (B, numbers + size·categories), no mask
    Raises:
        ConfigError: size is not positive.
    """

    numbers: Tensor
    categories: Tensor
    starts: Tensor

    def __init__(self, field: Field, size: int) -> None:
        super().__init__()
        if size < 1:
            raise ConfigError(f"stem.vector.size={size} is not a positive number of entries of a category's vector")
        numbers = [i for i, codes in enumerate(field.cardinalities) if codes == 0]
        categories = [i for i, codes in enumerate(field.cardinalities) if codes > 0]
        rows = [field.cardinalities[i] for i in categories]
        starts = [sum(rows[:i]) for i in range(len(rows))]
        self.register_buffer("numbers", torch.tensor(numbers, dtype=torch.int64), persistent=False)
        self.register_buffer("categories", torch.tensor(categories, dtype=torch.int64), persistent=False)
        self.register_buffer("starts", torch.tensor(starts, dtype=torch.int64), persistent=False)
        self.embedding = nn.Embedding(sum(rows), size) if rows else None
        self.output_shape = (len(numbers) + size * len(categories),)
        self.settle()

    @torch.no_grad()
    def settle(self) -> None:
        """Code 0 of each column back to zero, after any initialisation."""
        if self.embedding is not None:
            self.embedding.weight.index_fill_(0, self.starts, 0)

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        if self.embedding is None:
            return x, None
        codes = x[:, self.categories].long() + self.starts  # (B, categories)
        vectors = self.embedding(codes).flatten(1)  # (B, categories·size)
        return torch.cat([x[:, self.numbers], vectors], 1), None

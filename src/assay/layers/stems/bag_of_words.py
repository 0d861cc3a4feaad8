"""Token ids read as one vector of word shares."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from assay.contracts import Field


class BagOfWords(nn.Module):
    """v_w = (occurrences of w) / (number of tokens): term frequencies, Salton and Buckley 1988.

    Padding is counted neither above nor below the line; a text without tokens is the zero vector.

    Args:
        field: ``ids``, with its vocabulary's size and padding id.
    Shape:
        x (B, T) int64 -> (B, V) float, no mask
    """

    one: Tensor

    def __init__(self, field: Field) -> None:
        super().__init__()
        assert field.size is not None
        self.padding_id = field.padding_id
        self.output_shape = (field.size,)
        self.register_buffer("one", torch.ones(()), persistent=False)  # follows the network's type and device

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        valid = torch.ones_like(x, dtype=torch.bool) if self.padding_id is None else x != self.padding_id
        count = valid * self.one  # (B, T)
        bag = self.one.new_zeros(x.shape[0], *self.output_shape).scatter_add_(1, x, count)  # (B, V)
        return bag / count.sum(1, keepdim=True).clamp(min=1), None

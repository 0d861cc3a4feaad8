"""A text as the shares of its tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from assay.contracts import Field


class BagOfWords(nn.Module):
    """x_v = (how often token v occurs) / (tokens of the text); padding does not count.

    Shape:
        ids (B, T) -> (B, V), no mask
    """

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.padding_id = field.padding_id
        self.size = field.size or 1
        self.output_shape = (self.size,)

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        valid = (x != self.padding_id).to(torch.get_default_dtype())  # (B, T)
        counts = torch.zeros(len(x), self.size, device=x.device, dtype=valid.dtype).scatter_add_(1, x, valid)
        return counts / valid.sum(1, keepdim=True).clamp(min=1), None  # (B, V)

"""The square of a rectifier."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class ReLU2(nn.Module):
    """y = max(0, x)².

    So et al., "Primer: Searching for Efficient Transformers for Language Modeling", 2021, arXiv:2109.08668, section 4,
    where it stands in a Transformer's feed-forward net. Differs from the paper: nothing.

    Shape:
        x any float -> the same
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x).square()

"""How a transformer knows where a token stands. Letters: B batch, T positions, nh heads, hs size of a head.

Each is called with x alone, whose positions are then 0 … T - 1, or with ``places`` (B or 1, T) int64 as well: where
each vector stands in a text that is read piece by piece. Places lie below the table's length.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from assay.errors import ConfigError


def angles(length: int, size: int) -> Tensor:
    """pos / 10000^(2i / size), (length, size / 2 rounded up) float64."""
    frequencies = 10000.0 ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    return torch.arange(length, dtype=torch.float64).unsqueeze(1) * frequencies


class Unplaced(nn.Module):
    """x -> x: order is not told."""

    def forward(self, x: Tensor, places: Tensor | None = None) -> Tensor:
        return x


class Sinusoidal(nn.Module):
    """x + PE, PE(pos, 2i) = sin(pos / 10000^(2i/size)), PE(pos, 2i+1) = cos(the same).

    Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762, section 3.5. Differs from the paper: nothing.

    Args:
        size: of a position's vector.
        length: positions kept ready; longer inputs are computed as they come.
    Shape:
        x (B, T, size) -> the same
    """

    table: Tensor

    def __init__(self, size: int, length: int = 512) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("table", self._table(length).to(torch.get_default_dtype()), persistent=False)

    def _table(self, length: int) -> Tensor:
        angle = angles(length, self.size)
        return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)[:, : self.size]  # (T, size)

    def forward(self, x: Tensor, places: Tensor | None = None) -> Tensor:
        if places is not None:
            return x + self.table[places]
        length = x.shape[1]
        if length <= len(self.table):
            return x + self.table[:length]
        return x + self._table(length).to(x)


class Learned(nn.Module):
    """x + P, one learned vector per position, Gehring et al. 2017, arXiv:1705.03122, section 3.1.

    Args:
        size: of a position's vector.
        max_length: positions there are vectors for.
    Shape:
        x (B, T, size) -> the same
    Raises:
        ConfigError: an input is longer than max_length.
    """

    def __init__(self, size: int, max_length: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(max_length, size))
        nn.init.normal_(self.weight, std=0.02)  # as BERT starts; the paper's 0.1 drowns x

    def forward(self, x: Tensor, places: Tensor | None = None) -> Tensor:
        if places is not None:
            return x + self.weight[places]
        length, known = x.shape[1], len(self.weight)
        if length > known:
            raise ConfigError(
                f"model.positions=learned knows {known} positions and an input has {length}: "
                "raise model.max_length, or use model.positions=sinusoidal"
            )
        return x + self.weight[:length]


class Rotary(nn.Module):
    """Turns each pair (x_{2i}, x_{2i+1}) of a query or key by the angle pos / 10000^(2i/hs).

    Su et al., "RoFormer", 2021, arXiv:2104.09864, eq. 34: a score then depends on the distance of its positions alone.
    Differs from the paper: nothing (many codes pair the two halves of x instead, which permutes the features).

    Args:
        size: hs, of a head; even.
        length: positions kept ready; longer inputs are computed as they come.
    Shape:
        x (B, nh, T, hs) -> the same
    Raises:
        ConfigError: the heads' size is odd.
    """

    table: Tensor

    def __init__(self, size: int, length: int = 512) -> None:
        super().__init__()
        if size % 2:
            raise ConfigError(
                f"model.positions=rotary turns pairs and each head has {size} features: "
                "use a model.size that is an even multiple of model.num_heads, or model.positions=sinusoidal"
            )
        self.size = size
        self.register_buffer("table", self._table(length).to(torch.get_default_dtype()), persistent=False)

    def _table(self, length: int) -> Tensor:
        angle = angles(length, self.size)
        return torch.stack([angle.cos(), angle.sin()])  # (2, T, hs/2)

    def forward(self, x: Tensor, places: Tensor | None = None) -> Tensor:
        length = x.shape[2]
        if places is not None:
            cos, sin = self.table[:, places].unsqueeze(2)  # (B or 1, 1, T, hs/2) each
        else:
            ready = length <= self.table.shape[1]
            cos, sin = self.table[:, :length] if ready else self._table(length).to(x)  # (T, hs/2) each
        even, odd = x[..., 0::2], x[..., 1::2]
        return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)

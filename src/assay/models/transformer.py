"""Transformer encoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from assay.contracts import Encoded
from assay.errors import ConfigError
from assay.layers.attention import SelfAttention
from assay.layers.positions import Learned, Sinusoidal
from assay.layers.random import Dropout

POSITIONS = ("sinusoidal", "learned", "rotary", "none")


class Block(nn.Module):
    """Self-attention and a position-wise feed-forward net, each with a residual and a normalisation:
    x + f(norm(x)) if ``norm_first`` (Xiong et al. 2020), norm(x + f(x)) as in the paper otherwise."""

    def __init__(
        self,
        size: int,
        num_heads: int,
        feedforward_size: int,
        dropout: float,
        activation: Callable[[], nn.Module],
        normalization: Callable[[int, int], nn.Module],
        norm_first: bool,
        causal: bool,
        rotary: bool,
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.attention = SelfAttention(size, num_heads, dropout, causal, rotary)
        self.feedforward = nn.Sequential(
            nn.Linear(size, feedforward_size), activation(), Dropout(dropout), nn.Linear(feedforward_size, size)
        )
        self.norms = nn.ModuleList([normalization(size, 1), normalization(size, 1)])
        self.dropouts = nn.ModuleList([Dropout(dropout), Dropout(dropout)])

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        if self.norm_first:
            x = x + self.dropouts[0](self.attention(self.norms[0](x), mask))
            return x + self.dropouts[1](self.feedforward(self.norms[1](x)))
        x = self.norms[0](x + self.dropouts[0](self.attention(x, mask)))
        return self.norms[1](x + self.dropouts[1](self.feedforward(x)))


class Transformer(nn.Module):
    """A projection to ``size``, positions, and ``num_layers`` blocks.

    Vaswani et al., "Attention Is All You Need", 2017, sections 3.1-3.5. Differs from the paper: pre-norm by default,
    then with a normalisation after the last block; the input is projected rather than scaled by √size; ``last`` is the
    mean over valid positions (the last valid one if causal).

    Args:
        input_size: (T, D), T may be None.
        size: of a position's state.
        num_heads, num_layers, feedforward_size: as in the paper.
        positions: sinusoidal, learned, rotary or none.
        max_length: of learned positions.
        norm_first: pre-norm; otherwise post-norm.
        causal: a position sees none after it.
        activation, normalization: make theirs.
        dropout: probability, on each sub-layer's output, inside the feed-forward net and on attention weights.
    Shape:
        x (B, T, D), mask (B, T) -> states (B, T, size), zero where padded; last (B, size)
    Raises:
        ConfigError: positions is none of the four, or the heads do not divide the size.
    """

    def __init__(
        self,
        input_size: tuple[int | None, ...],
        size: int,
        num_heads: int,
        num_layers: int,
        feedforward_size: int,
        positions: str,
        max_length: int,
        norm_first: bool,
        causal: bool,
        activation: Callable[[], nn.Module],
        normalization: Callable[[int, int], nn.Module],
        dropout: float,
    ) -> None:
        super().__init__()
        if positions not in POSITIONS:
            raise ConfigError(f"model.positions={positions} is not one of {', '.join(POSITIONS)}")
        added = {"sinusoidal": Sinusoidal, "learned": lambda: Learned(max_length, size)}
        self.project = nn.Linear(input_size[-1] or 1, size)
        self.positions = added.get(positions, nn.Identity)()
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(
                size,
                num_heads,
                feedforward_size,
                dropout,
                activation,
                normalization,
                norm_first,
                causal,
                positions == "rotary",
            )
            for _ in range(num_layers)
        )
        self.norm = normalization(size, 1) if norm_first else nn.Identity()
        self.causal = causal
        self.output_size = size

    def forward(self, x: Tensor, mask: Tensor | None = None, state: Any = None) -> Encoded:
        x = self.dropout(self.positions(self.project(x)))  # (B, T, size)
        for block in self.blocks:
            x = block(x, mask)
        x = self.norm(x)
        if mask is None:
            return Encoded(x, x[:, -1] if self.causal else x.mean(1))
        x = x * mask.unsqueeze(-1)
        count = mask.sum(1, keepdim=True)  # (B, 1)
        if self.causal:
            at = (count - 1).clamp(min=0).unsqueeze(-1).expand(-1, -1, x.shape[-1])
            return Encoded(x, x.gather(1, at).squeeze(1))
        return Encoded(x, x.sum(1) / count.clamp(min=1))

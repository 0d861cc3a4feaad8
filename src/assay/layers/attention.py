"""Multi-head self-attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.errors import ConfigError
from assay.layers.positions import rotate
from assay.layers.random import Dropout


class SelfAttention(nn.Module):
    """softmax(Q Kᵀ / √d) V in N heads of width d = D / N, joined and projected.

    Vaswani et al., "Attention Is All You Need", 2017, section 3.2. Without dropout torch's fused kernel computes it;
    with dropout the weights are written out, so that the draws come from our streams.

    Args:
        size: D.
        num_heads: N.
        dropout: probability, on the attention weights.
        causal: a position sees none after it.
        rotary: queries and keys are turned by their position.
    Shape:
        x (B, T, D), mask (B, T) True where valid -> (B, T, D)
    Raises:
        ConfigError: D is no multiple of N, or a head's width is odd and rotary.
    """

    def __init__(self, size: int, num_heads: int, dropout: float, causal: bool, rotary: bool) -> None:
        super().__init__()
        if size % num_heads:
            raise ConfigError(f"model.size={size} cannot be cut into model.num_heads={num_heads}: use a multiple of it")
        if rotary and (size // num_heads) % 2:
            raise ConfigError(f"model.positions=rotary turns pairs, but a head is {size // num_heads} wide: make it even")
        self.num_heads = num_heads
        self.causal = causal
        self.rotary = rotary
        self.project = nn.Linear(size, 3 * size)  # queries, keys, values
        self.join = nn.Linear(size, size)
        self.dropout = Dropout(dropout)
        nn.init.xavier_uniform_(self.project.weight)  # as torch's nn.MultiheadAttention
        nn.init.zeros_(self.project.bias)
        nn.init.zeros_(self.join.bias)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        batch, steps, size = x.shape
        q, k, v = self.project(x).view(batch, steps, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)  # (B, N, T, d)
        if self.rotary:
            q, k = rotate(q), rotate(k)
        seen = self._seen(mask, steps, x.device)
        if self.training and self.dropout.p:
            scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5  # (B, N, T, T)
            if seen is not None:
                scores = scores.masked_fill(~seen, float("-inf"))
            mixed = self.dropout(scores.softmax(-1)) @ v
        else:
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        return self.join(mixed.transpose(1, 2).reshape(batch, steps, size))

    def _seen(self, mask: Tensor | None, steps: int, device: torch.device) -> Tensor | None:
        """(B, 1, T, T) or (1, 1, T, T): True where a query sees a key. A position always sees itself, so that a row
        of padding has a sum to divide by."""
        own = torch.eye(steps, dtype=torch.bool, device=device)
        past = torch.ones(steps, steps, dtype=torch.bool, device=device).tril() if self.causal else None
        if mask is None:
            return None if past is None else past[None, None]
        seen = mask[:, None, None, :]  # (B, 1, 1, T)
        if past is not None:
            seen = seen & past
        return seen | own

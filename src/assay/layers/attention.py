"""Multi-head self-attention. Letters: B batch, T positions, S size, nh heads, hs = S / nh size of a head."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.errors import ConfigError
from assay.layers.positions import Unplaced
from assay.layers.random import Dropout

_NORM_EPS = 1e-6  # under the root of query_key_norm, as normalization=rms has it


def attention_mask(x: Tensor, mask: Tensor | None, causal: bool) -> Tensor | None:
    """Which position may look at which: bool, broadcastable to (B, nh, T, T); None where all may look at all.

    A position that could see nothing sees itself (causal) or everything (an example without any valid position): its
    output is never read, and a softmax over nothing would be NaN.

    Args:
        x: (B, T, S), for its length.
        mask: (B, T) bool, True where valid.
        causal: each position sees itself and earlier ones only.
    """
    if mask is not None and not causal:
        return (mask | ~mask.any(1, keepdim=True))[:, None, None, :]  # (B, 1, 1, T)
    if not causal:
        return None
    past = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).tril()  # (T, T)
    if mask is None:
        return past
    return (past & mask[:, None, None, :]) | torch.eye(x.shape[1], dtype=torch.bool, device=x.device)  # (B, 1, T, T)


def continued_mask(valid: Tensor | None, past: int, length: int, like: Tensor) -> Tensor | None:
    """:func:`attention_mask` of the last ``length`` of ``past + length`` positions, causal: to (B, nh, length, past +
    length); None where each of them may look at all, as a single one does.

    Args:
        valid: (B, past + length) bool; None where all are.
        like: a tensor on the device.
    """
    if valid is None and length == 1:
        return None
    here = torch.ones(length, past + length, dtype=torch.bool, device=like.device).tril(past)
    if valid is None:
        return here
    own = torch.eye(length, dtype=torch.bool, device=like.device)
    return (here & valid[:, None, None, :]) | torch.cat([own.new_zeros(length, past), own], 1)  # (B, 1, length, …)


class Memory:
    """Keys and values of one attention layer for the positions read so far, and where the next ones stand.

    Args:
        keys, values: (B, nh, past, hs), keys as they are compared: normalised and turned.
        places: (B or 1, T) int64 of the positions that come.
    """

    def __init__(self, keys: Tensor, values: Tensor, places: Tensor) -> None:
        self.keys, self.values, self.places = keys, values, places

    def extend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """All of them, (B, nh, past + T, hs), with those of T more positions; they are kept."""
        self.keys, self.values = torch.cat([self.keys, key], 2), torch.cat([self.values, value], 2)
        return self.keys, self.values


class SelfAttention(nn.Module):
    """softmax(Q Kᵀ / √hs) V in nh heads, then a projection; Q, K, V are linear in x.

    Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762, section 3.2. Differs from the paper: the
    projections have biases, and start as torch's ``MultiheadAttention`` does (Xavier uniform of the three together,
    biases zero).

    Args:
        size: S, of input and output.
        num_heads: nh, divides size.
        dropout: probability that an attention weight is dropped.
        rotate: applied to queries and keys (B, nh, T, hs), as rotary positions are.
    Shape:
        x (B, T, S), allowed bool broadcastable to (B, nh, T, T) or None -> (B, T, S)
    Raises:
        ConfigError: num_heads does not divide size.
    """

    stacked = 3  # matrices in weight, one above the other (see initialization)

    def __init__(
        self,
        size: int,
        num_heads: int,
        dropout: float = 0.0,
        rotate: nn.Module | None = None,
        query_key_norm: bool = False,
    ) -> None:
        super().__init__()
        if size % num_heads:
            raise ConfigError(f"model.num_heads={num_heads} does not divide model.size={size}: use a divisor of {size}")
        self.num_heads, self.head_size = num_heads, size // num_heads
        self.weight = nn.Parameter(torch.empty(3 * size, size))  # rows of Q, then K, then V
        self.bias = nn.Parameter(torch.zeros(3 * size))
        self.output = nn.Linear(size, size)
        self.dropout = Dropout(dropout)
        self.rotate = Unplaced() if rotate is None else rotate
        self.query_key_norm = query_key_norm
        nn.init.xavier_uniform_(self.weight)
        nn.init.zeros_(self.output.bias)

    def refit(self) -> None:
        """After heads left its weights."""
        self.num_heads = len(self.weight) // (3 * self.head_size)

    def forward(self, x: Tensor, allowed: Tensor | None = None, memory: Memory | None = None) -> Tensor:
        qkv = F.linear(x, self.weight, self.bias).unflatten(-1, (3, self.num_heads, -1))  # (B, T, 3, nh, hs)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # (B, nh, T, hs) each
        if self.query_key_norm:
            query, key = (F.rms_norm(one, one.shape[-1:], eps=_NORM_EPS) for one in (query, key))
        if memory is None:
            query, key = self.rotate(query), self.rotate(key)
        else:
            query, key = self.rotate(query, memory.places), self.rotate(key, memory.places)
            key, value = memory.extend(key, value)  # (B, nh, past + T, hs) each
        if self.training and self.dropout.p > 0:
            # torch's kernel draws from a generator of its own, so weights that are dropped are computed here
            scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])  # (B, nh, T, T)
            if allowed is not None:
                scores = scores.masked_fill(~allowed, -math.inf)
            mixed = self.dropout(scores.softmax(-1)) @ value
        else:
            mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        return self.output(mixed.transpose(1, 2).flatten(2))  # (B, T, S)

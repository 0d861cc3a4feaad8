"""Transformer encoder. Letters: B batch, T positions, D input size, S size of a position's state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from assay.contracts import Encoded
from assay.errors import ConfigError
from assay.layers.attention import SelfAttention, attention_mask
from assay.layers.channels import INPUT, OUTPUT, Group, Slice, columns, rows, separate
from assay.layers.pooling import mean_valid
from assay.layers.positions import Learned, Rotary, Sinusoidal
from assay.layers.random import Dropout
from assay.layers.rates import rates


class Block(nn.Module):
    """Self-attention, then a feed-forward net at each position, each with a residual connection and a normalisation.

    Post-norm, as in the paper: x = LN(x + f(x)). Pre-norm (Xiong et al. 2020, arXiv:2002.04745): x = x + f(LN(x)).

    Shape:
        x (B, T, S), allowed as :class:`SelfAttention` takes it -> (B, T, S)
    """

    def __init__(
        self,
        size: int,
        feedforward_size: int,
        attention: SelfAttention,
        norm_first: bool,
        activation: Callable[[], nn.Module],
        normalization: Callable[..., nn.Module],
        dropout: float,
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.attention = attention
        self.attention_norm = normalization(size, spatial_dims=1)
        self.attention_dropout = Dropout(dropout)
        self.feedforward = nn.Sequential(
            nn.Linear(size, feedforward_size), activation(), nn.Linear(feedforward_size, size)
        )
        self.feedforward_norm = normalization(size, spatial_dims=1)
        self.feedforward_dropout = Dropout(dropout)

    def forward(self, x: Tensor, allowed: Tensor | None) -> Tensor:
        if self.norm_first:
            x = x + self.attention_dropout(self.attention(self.attention_norm(x), allowed))
            return x + self.feedforward_dropout(self.feedforward(self.feedforward_norm(x)))
        x = self.attention_norm(x + self.attention_dropout(self.attention(x, allowed)))
        return self.feedforward_norm(x + self.feedforward_dropout(self.feedforward(x)))


class Transformer(nn.Module):
    """The input projected to S, positions added, blocks; ``last`` is the mean of the states over valid positions.

    Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762, the encoder of section 3. Differs from the
    paper: a linear projection stands where the paper scales its embeddings by √S; attention weights are dropped out
    too, as its published code does; with ``norm_first`` the states are normalised once more at the end; activation and
    normalisation are parts. With ``shared`` one block is used ``num_layers`` times, all its parameters shared as in Lan
    et al., "ALBERT", 2019, arXiv:1909.11942, section 3.1: their gradient is the sum over the uses.

    Args:
        input_size: (T or None, D) of an example.
        size: S.
        num_heads: divides size.
        num_layers: number of blocks.
        shared: they are one and the same.
        feedforward_size: of the hidden layer at each position.
        positions: ``sinusoidal``, ``learned``, ``rotary`` or ``none``.
        max_length: of learned positions.
        norm_first: pre-norm blocks, else post-norm.
        causal: each position sees itself and earlier ones only.
        activation: makes the feed-forward net's activation.
        normalization: makes a block's normalisation.
        dropout: probability, on the input, on each sub-layer's output and on attention weights; a list has one for the
            input, then one for each block.
    Shape:
        x (B, T, D), mask (B, T) -> states (B, T, S), last (B, S)
    Raises:
        ConfigError: num_heads does not divide size, positions is something else, there are not as many rates as
            blocks and one, a shared block has several, or a state is given.
    """

    def __init__(
        self,
        input_size: tuple[int | None, ...],
        size: int,
        num_heads: int,
        num_layers: int,
        shared: bool,
        feedforward_size: int,
        positions: str,
        max_length: int,
        norm_first: bool,
        causal: bool,
        activation: Callable[[], nn.Module],
        normalization: Callable[..., nn.Module],
        dropout: float | list[float],
    ) -> None:
        super().__init__()
        width = input_size[-1]
        assert width is not None
        known = ("sinusoidal", "learned", "rotary", "none")
        if positions not in known:
            raise ConfigError(f"model.positions={positions} is not one of {', '.join(known)}")
        self.causal = causal
        self.output_size = size
        self.project = nn.Linear(width, size)
        self.positions: nn.Module = nn.Identity()
        if positions == "sinusoidal":
            self.positions = Sinusoidal(size)
        elif positions == "learned":
            self.positions = Learned(size, max_length)
        first, *each = rates(dropout, [True] * (num_layers + 1))
        if shared and len(set(each)) > 1:
            raise ConfigError(f"model.shared=true has one block, so one rate for every use of it, not {each}")
        self.dropout = Dropout(first)

        def block(rate: float) -> Block:
            rotate = Rotary(size // num_heads) if positions == "rotary" else None
            attention = SelfAttention(size, num_heads, rate, rotate)
            return Block(size, feedforward_size, attention, norm_first, activation, normalization, rate)

        self.blocks = nn.ModuleList([block(rate) for rate in (each[:1] if shared else each)])
        self.repeats = num_layers if shared else 1
        self.norm = normalization(size, spatial_dims=1) if norm_first else nn.Identity()

    def forward(self, x: Tensor, mask: Tensor | None = None, state: None = None) -> Encoded:
        if state is not None:
            raise ConfigError("model=transformer carries no state from one input to the next: use model=lstm")
        x = self.dropout(self.positions(self.project(x)))  # (B, T, S)
        allowed = attention_mask(x, mask, self.causal)
        for block in self.repeats * [*self.blocks]:
            x = block(x, allowed)
        x = self.norm(x)
        if mask is not None:
            x = x * mask.unsqueeze(-1)
        return Encoded(x, mean_valid(x, mask))

    def channel_groups(self) -> list[Group]:
        """Heads, hidden units of the feed-forward nets, entries of the input; and those of a position's state where
        nothing normalises them together and no fixed table is added to them."""
        width = self.project.weight.shape[1]
        found = [Group(INPUT, width, (), (columns("project"),))]
        blocks: list[Any] = list(self.blocks)
        for i, block in enumerate(blocks):
            name, own = f"blocks.{i}", block.attention
            heads = tuple(
                Slice(f"{name}.attention.{key}", repeat=own.head_size, blocks=3) for key in ("weight", "bias")
            )
            reader = columns(f"{name}.attention.output", repeat=own.head_size)
            found.append(Group(f"{name}.attention", own.num_heads, heads, (reader,)))
            hidden, reader = f"{name}.feedforward.0", columns(f"{name}.feedforward.2")
            first = block.feedforward[0]
            found.append(Group(hidden, len(first.weight), tuple(rows(hidden, first)), (reader,)))
        norms = [self.norm, *(one for b in blocks for one in (b.attention_norm, b.feedforward_norm))]
        if all(separate(norm) for norm in norms) and not isinstance(self.positions, Sinusoidal):
            making, reading = rows("project", self.project), []
            if isinstance(self.positions, Learned):
                making.append(Slice("positions.weight", 1))
            for i in range(len(blocks)):
                for name in (f"blocks.{i}.attention.output", f"blocks.{i}.feedforward.2"):
                    making += rows(name, self.get_submodule(name))
                reading += [columns(f"blocks.{i}.attention"), columns(f"blocks.{i}.feedforward.0")]
            found.append(Group("project", self.project.out_features, tuple(making), (*reading, Slice(OUTPUT))))
        return found

"""Transformer encoder. Letters: B batch, T positions, D input size, S size of a position's state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from assay.contracts import Encoded
from assay.errors import ConfigError
from assay.layers.attention import Memory, SelfAttention, attention_mask, continued_mask
from assay.layers.channels import INPUT, OUTPUT, Group, Slice, columns, rows, separate
from assay.layers.pooling import mean_valid
from assay.layers.positions import Learned, Rotary, Sinusoidal, Unplaced
from assay.layers.random import Dropout
from assay.layers.rates import rates

_READY = 512  # positions whose angles are kept ready at least


class Carried(NamedTuple):
    """What a causal Transformer keeps of the P positions that it looks back on; every tensor batch first.

    inputs: (B, P, D), read again when the window slides.
    valid: (B, P) bool; None while no mask was given.
    keys, values: for each use of a block, (B, nh, P, hs).
    """

    inputs: Tensor
    valid: Tensor | None
    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]


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

    def forward(self, x: Tensor, allowed: Tensor | None, memory: Memory | None = None) -> Tensor:
        if self.norm_first:
            x = x + self.attention_dropout(self.attention(self.attention_norm(x), allowed, memory))
            return x + self.feedforward_dropout(self.feedforward(self.feedforward_norm(x)))
        x = self.attention_norm(x + self.attention_dropout(self.attention(x, allowed, memory)))
        return self.feedforward_norm(x + self.feedforward_dropout(self.feedforward(x)))


def _columns(memories: Sequence[Memory]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    return tuple(one.keys for one in memories), tuple(one.values for one in memories)


class Transformer(nn.Module):
    """The input projected to S, positions added, blocks; ``last`` is the mean of the states over valid positions.

    Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762, the encoder of section 3. Differs from the
    paper: a linear projection stands where the paper scales its embeddings by √S; attention weights are dropped out
    too, as its published code does; with ``norm_first`` the states are normalised once more at the end; activation and
    normalisation are parts. With ``shared`` one block is used ``num_layers`` times, all its parameters shared as in Lan
    et al., "ALBERT", 2019, arXiv:1909.11942, section 3.1: their gradient is the sum over the uses.

    A causal net can read a text piece by piece. ``start`` makes the empty state; given one, ``forward`` returns the
    states that reading the whole text at once gives at these positions, and a state with their keys and values.
    Without one it returns none, so that training and evaluation keep nothing.

    The state looks back on ``max_length`` positions, or on the length of an example where that is fixed and less: no
    net was trained on more. When they are full, the window slides: the latter half of its inputs is read again from
    position 0, whatever the positions are, and what comes is added to that. Each position so sees between a half and
    the whole of the window, the window's first position is always 0, as in training, and no key is left that saw what
    has slid out; it costs one more pass of a position for each that is read. How a text is cut into pieces changes
    nothing.

    Args:
        input_size: (T or None, D) of an example.
        size: S.
        num_heads: divides size.
        num_layers: number of blocks.
        shared: they are one and the same.
        feedforward_size: of the hidden layer at each position.
        positions: ``sinusoidal``, ``learned``, ``rotary`` or ``none``.
        max_length: of learned positions, and of what a state looks back on.
        norm_first: pre-norm blocks, else post-norm.
        causal: each position sees itself and earlier ones only.
        activation: makes the feed-forward net's activation.
        normalization: makes a block's normalisation.
        dropout: probability, on the input, on each sub-layer's output and on attention weights; a list has one for the
            input, then one for each block.
        query_key_norm: queries and keys of unit root mean square (:class:`SelfAttention`).
    Shape:
        x (B, T, D), mask (B, T) -> states (B, T, S), last (B, S); ``last`` is of these T positions, with a state too
    Raises:
        ConfigError: num_heads does not divide size, positions is something else, there are not as many rates as
            blocks and one, a shared block has several, or a state is asked of a net that is not causal.
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
        query_key_norm: bool = False,
    ) -> None:
        super().__init__()
        length, width = input_size
        assert width is not None
        known = ("sinusoidal", "learned", "rotary", "none")
        if positions not in known:
            raise ConfigError(f"model.positions={positions} is not one of {', '.join(known)}")
        self.causal = causal
        self.output_size = size
        self.project = nn.Linear(width, size)
        self.window = max_length if length is None else min(length, max_length)
        self.positions: nn.Module = Unplaced()
        if positions == "sinusoidal":
            self.positions = Sinusoidal(size, max(_READY, self.window))
        elif positions == "learned":
            self.positions = Learned(size, max_length)
        first, *each = rates(dropout, [True] * (num_layers + 1))
        if shared and len(set(each)) > 1:
            raise ConfigError(f"model.shared=true has one block, so one rate for every use of it, not {each}")
        self.dropout = Dropout(first)

        def block(rate: float) -> Block:
            rotate = Rotary(size // num_heads, max(_READY, self.window)) if positions == "rotary" else None
            attention = SelfAttention(size, num_heads, rate, rotate, query_key_norm)
            return Block(size, feedforward_size, attention, norm_first, activation, normalization, rate)

        self.blocks = nn.ModuleList([block(rate) for rate in (each[:1] if shared else each)])
        self.repeats = num_layers if shared else 1
        self.norm = normalization(size, spatial_dims=1) if norm_first else nn.Identity()

    def forward(self, x: Tensor, mask: Tensor | None = None, state: Carried | None = None) -> Encoded:
        if state is None:
            uses: Sequence[Memory | None] = [None] * (self.repeats * len(self.blocks))
            x = self._encode(x, attention_mask(x, mask, self.causal), None, uses)
        else:
            self._refuse_future()
            x, state = self._go_on(x, mask, state)
        if mask is not None:
            x = x * mask.unsqueeze(-1)
        return Encoded(x, mean_valid(x, mask), state)

    def start(self, batch_size: int) -> Carried:
        """The state in which nothing was read yet."""
        self._refuse_future()
        weight = self.project.weight
        attentions: list[Any] = [block.attention for block in self.repeats * [*self.blocks]]
        none = tuple(weight.new_zeros(batch_size, own.num_heads, 0, own.head_size) for own in attentions)
        return Carried(weight.new_zeros(batch_size, 0, weight.shape[1]), None, none, none)

    def _refuse_future(self) -> None:
        if not self.causal:
            raise ConfigError(
                "model=transformer carries a state from one input to the next with model.causal=true alone"
            )

    def _encode(
        self, x: Tensor, allowed: Tensor | None, places: Tensor | None, memories: Sequence[Memory | None]
    ) -> Tensor:
        x = self.project(x)  # (B, T, S)
        x = self.dropout(self.positions(x) if places is None else self.positions(x, places))
        for block, memory in zip(self.repeats * [*self.blocks], memories, strict=True):
            x = block(x, allowed, memory)
        return self.norm(x)

    def _go_on(self, x: Tensor, mask: Tensor | None, state: Carried) -> tuple[Tensor, Carried]:
        """Fills the window, lets it slide, and so on to the end of x."""
        states = []
        while x.shape[1]:
            if state.inputs.shape[1] == self.window:
                seen = self.window - self.window // 2
                valid = None if state.valid is None else state.valid[:, seen:]
                state = self._read(state.inputs[:, seen:], valid, self.start(len(x)))[1]
            room = self.window - state.inputs.shape[1]
            piece, x = x[:, :room], x[:, room:]
            now, mask = (None, None) if mask is None else (mask[:, :room], mask[:, room:])
            out, state = self._read(piece, now, state)
            states.append(out)
        return torch.cat(states, 1), state

    def _read(self, x: Tensor, mask: Tensor | None, state: Carried) -> tuple[Tensor, Carried]:
        """x (B, T, D) after the P positions of a state that has room for it."""
        past, length = state.inputs.shape[1], x.shape[1]
        valid = state.valid
        if mask is not None or valid is not None:
            before = x.new_ones(len(x), past, dtype=torch.bool) if valid is None else valid
            now = x.new_ones(len(x), length, dtype=torch.bool) if mask is None else mask
            valid = torch.cat([before, now], 1)  # (B, P + T)
            places = (valid.cumsum(1) - 1).clamp(min=0)[:, past:]  # an example's own: what is not valid has no place
        else:
            places = torch.arange(past, past + length, device=x.device).unsqueeze(0)
        pairs = zip(state.keys, state.values, strict=True)
        memories = [Memory(keys, values, places) for keys, values in pairs]
        out = self._encode(x, continued_mask(valid, past, length, x), places, memories)
        kept = Carried(torch.cat([state.inputs, x], 1), valid, *_columns(memories))
        return out, kept

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

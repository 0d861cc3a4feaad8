"""Long short-term memory over sequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from assay.contracts import Encoded
from assay.errors import ConfigError
from assay.layers.lstm_cell import NormalizedLSTMLayer
from assay.layers.random import Dropout

State = tuple[Tensor, Tensor]


class LSTM(nn.Module):
    """i, f, o = σ(W x_t + U h_{t-1} + b) each; c̃ = tanh(·); c_t = f∘c_{t-1} + i∘c̃; h_t = o∘tanh(c_t).

    Hochreiter and Schmidhuber 1997; the forget gate is Gers, Schmidhuber and Cummins 2000; no peepholes. Plain layers
    run in torch's fused kernel, one ``nn.LSTM`` each, so that dropout between them draws from our streams. A backward
    direction reads each sequence reversed within its own length.

    Args:
        input_size: (T, D), T may be None.
        hidden_size: H, per direction.
        num_layers: stacked.
        bidirectional: a second set of layers from the end; outputs are joined.
        dropout: probability, between layers and on ``last``.
        normalization: makes a normalisation inside the cell; the identity keeps the fused kernel.
    Shape:
        x (B, T, D), mask (B, T) -> states (B, T, H or 2H), zero where padded; last (B, H or 2H), each direction's
        final state; state (h, c), each (B, num_layers, H), None if bidirectional
    Raises:
        ConfigError: a state is carried into a bidirectional net, which has seen the end already.
    """

    def __init__(
        self,
        input_size: tuple[int | None, ...],
        hidden_size: int,
        num_layers: int,
        bidirectional: bool,
        dropout: float,
        normalization: Callable[[int], nn.Module],
    ) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.bidirectional = bidirectional
        directions = 2 if bidirectional else 1
        plain = isinstance(normalization(1), nn.Identity)

        def layer(size: int) -> nn.Module:
            if plain:
                return nn.LSTM(size, hidden_size, batch_first=True)
            return NormalizedLSTMLayer(size, hidden_size, normalization)

        sizes = [input_size[-1] or 1] + [directions * hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(layer(size) for size in sizes)
        self.backward_layers = nn.ModuleList(layer(size) for size in sizes if bidirectional)
        self.between = nn.ModuleList(Dropout(dropout) for _ in range(num_layers - 1))
        self.dropout = Dropout(dropout)
        self.output_size = directions * hidden_size

    def forward(self, x: Tensor, mask: Tensor | None = None, state: State | None = None) -> Encoded:
        if state is not None and self.bidirectional:
            raise ConfigError("a bidirectional LSTM cannot carry its state on: use model.bidirectional=false")
        lengths = None if mask is None else mask.sum(1)  # (B,)
        reverse = _reversal(x, lengths) if self.bidirectional else None
        finals: list[State] = []
        last = x.new_zeros(0)
        for number, layer in enumerate(self.layers):
            given = None if state is None else (state[0][:, number], state[1][:, number])
            states, final, ends = self._run(layer, x, lengths, given)
            finals.append(ends)
            last = final
            if self.bidirectional:
                flipped = _take(x, reverse)
                back, back_final, _ = self._run(self.backward_layers[number], flipped, lengths, None)
                states = torch.cat([states, _take(back, reverse)], -1)
                last = torch.cat([final, back_final], -1)
            if mask is not None:
                states = states * mask.unsqueeze(-1)
            x = self.between[number](states) if number < len(self.between) else states
        carried = None
        if not self.bidirectional:
            carried = (torch.stack([h for h, _ in finals], 1), torch.stack([c for _, c in finals], 1))
        return Encoded(x, self.dropout(last), carried)

    def _run(
        self, layer: nn.Module, x: Tensor, lengths: Tensor | None, state: State | None
    ) -> tuple[Tensor, Tensor, State]:
        """States (B, T, H), h at each sequence's own end (B, H), and (h, c) there."""
        if not isinstance(layer, nn.LSTM):
            states, (h, c) = layer(x, lengths, state)
            return states, h, (h, c)
        given = None if state is None else (state[0].unsqueeze(0).contiguous(), state[1].unsqueeze(0).contiguous())
        if lengths is None:
            states, (h, c) = layer(x, given)
            return states, h[0], (h[0], c[0])
        # packing is the one way to the kernel's own c at a sequence's end; its lengths must be known to the host
        host = lengths.clamp(min=1).cpu()
        packed, (h, c) = layer(pack_padded_sequence(x, host, batch_first=True, enforce_sorted=False), given)
        states, _ = pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])
        some = (lengths > 0).unsqueeze(-1)  # an empty sequence ends where it started, at zero
        return states, h[0] * some, (h[0] * some, c[0] * some)


def _reversal(x: Tensor, lengths: Tensor | None) -> Tensor:
    """(B, T): where each step of the reversed sequence comes from; padding stays in its place."""
    steps = torch.arange(x.shape[1], device=x.device).expand(len(x), -1)
    if lengths is None:
        return steps.flip(1)
    return torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)


def _take(x: Tensor, index: Tensor | None) -> Tensor:
    assert index is not None
    return x.gather(1, index.unsqueeze(-1).expand(-1, -1, x.shape[-1]))

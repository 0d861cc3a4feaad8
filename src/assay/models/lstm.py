"""Long short-term memory: layers of one direction or two, dropout between them, layer norm in the cell."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from assay.contracts import Encoded
from assay.errors import ConfigError
from assay.layers.lstm_cell import KernelLSTM, NormalizedLSTM, State, last_valid, reversal
from assay.layers.random import Dropout


class LSTM(nn.Module):
    """h of the last layer at every position, forwards and, where bidirectional, backwards beside it.

    Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997; Graves and Schmidhuber 2005 for two directions; Zaremba
    et al. 2014 for dropout on the connections between layers only. The cells are in :mod:`assay.layers.lstm_cell`.
    Each layer is a call of its own, so that the dropout between layers is ours; without a mask one layer is exactly one
    call of torch's kernel.

    ``last`` joins the forward state at the last valid position and the backward state at the first. The carried state
    is (h, c), each (B, num_layers, H); two directions carry none, since the backward one starts at the end.

    Args:
        input_size: (T or None, D) of an example.
        hidden_size: H, per direction.
        num_layers: one above the other.
        bidirectional: reads backwards too.
        dropout: probability that an entry of a layer's output is dropped, the last layer's included.
        normalization: of the cell's gates; an identity keeps torch's kernel.
    Shape:
        x (B, T, D), mask (B, T) with the valid positions first -> states (B, T, output_size), last (B, output_size)
    Raises:
        ConfigError: a state is given to a bidirectional net.
    """

    def __init__(
        self,
        input_size: tuple[int | None, ...],
        hidden_size: int,
        num_layers: int,
        bidirectional: bool,
        dropout: float,
        normalization: Callable[..., nn.Module],
    ) -> None:
        super().__init__()
        width = input_size[-1]
        assert width is not None
        self.bidirectional = bidirectional
        self.output_size = hidden_size * (1 + bidirectional)
        plain = isinstance(normalization(hidden_size, spatial_dims=1), nn.Identity)

        def layer(size: int) -> nn.Module:
            return KernelLSTM(size, hidden_size) if plain else NormalizedLSTM(size, hidden_size, normalization)

        widths = [width] + [self.output_size] * (num_layers - 1)
        self.ahead = nn.ModuleList([layer(size) for size in widths])
        self.back = nn.ModuleList([layer(size) for size in widths] if bidirectional else [])
        self.dropout = nn.ModuleList([Dropout(dropout) for _ in widths])

    def forward(self, x: Tensor, mask: Tensor | None = None, state: State | None = None) -> Encoded:
        if self.bidirectional:
            if state is not None:
                raise ConfigError("model.bidirectional=true cannot carry a state on: use model.bidirectional=false")
            return self._both(x, mask)
        carried: list[State] = []
        for i, layer in enumerate(self.ahead):
            start = None if state is None else (state[0][:, i].contiguous(), state[1][:, i].contiguous())
            x, end = layer(x, mask, start)
            x = self.dropout[i](x)  # (B, T, H)
            carried.append(end)
        state = (torch.stack([h for h, _ in carried], 1), torch.stack([c for _, c in carried], 1))  # (B, layers, H)
        if mask is None:
            return Encoded(x, x[:, -1], state)
        return Encoded(x * mask.unsqueeze(-1), last_valid(x, mask), state)

    def _both(self, x: Tensor, mask: Tensor | None) -> Encoded:
        index = None if mask is None else reversal(mask).unsqueeze(-1)  # (B, T, 1)

        def reverse(x: Tensor) -> Tensor:
            return x.flip(1) if index is None else x.gather(1, index.expand_as(x))

        for ahead, back, dropout in zip(self.ahead, self.back, self.dropout, strict=True):
            # The padded end of either direction is never read, so no mask is needed to hold a state there.
            x = dropout(torch.cat([ahead(x)[0], reverse(back(reverse(x))[0])], -1))  # (B, T, 2H)
        if mask is None:
            forward, backward = x[:, -1], x[:, 0]
        else:
            x = x * mask.unsqueeze(-1)
            forward, backward = last_valid(x, mask), x[:, 0]
        half = self.output_size // 2
        return Encoded(x, torch.cat([forward[:, :half], backward[:, half:]], 1))

"""Long short-term memory: layers of one direction or two, dropout between them, layer norm in the cell."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from assay.contracts import Encoded
from assay.layers.channels import Group
from assay.layers.lstm_cell import KernelLSTM, NormalizedLSTM, State
from assay.layers.random import Dropout
from assay.layers.recurrent import directions, encode, unit_groups


class LSTM(nn.Module):
    """h of the last layer at every position, forwards and, where bidirectional, backwards beside it.

    Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997; Graves and Schmidhuber 2005 for two directions; Zaremba
    et al. 2014 for dropout on the connections between layers only. The cells are in :mod:`assay.layers.lstm_cell`,
    what runs them in :mod:`assay.layers.recurrent`.

    ``last`` joins the forward state at the last valid position and the backward state at the first. The carried state
    is (h, c), each (B, num_layers, H); two directions carry none, since the backward one starts at the end.

    Args:
        input_size: (T or None, D) of an example.
        hidden_size: H, per direction.
        num_layers: one above the other.
        bidirectional: reads backwards too.
        dropout: probability that an entry of a layer's output is dropped, the last layer's included.
        normalization: of the cell's gates; an identity keeps torch's kernel.
        forget_bias: of the forget gates at the start, after any ``init``; 0 leaves what that made.
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
        forget_bias: float = 0.0,
    ) -> None:
        super().__init__()
        width = input_size[-1]
        assert width is not None
        self.output_size = hidden_size * (1 + bidirectional)
        plain = isinstance(normalization(hidden_size, spatial_dims=1), nn.Identity)

        def layer(size: int) -> nn.Module:
            if plain:
                return KernelLSTM(size, hidden_size, forget_bias)
            return NormalizedLSTM(size, hidden_size, normalization, forget_bias)

        self.ahead, self.back = directions(layer, width, hidden_size, num_layers, bidirectional)
        self.dropout = nn.ModuleList([Dropout(dropout) for _ in range(num_layers)])

    def forward(self, x: Tensor, mask: Tensor | None = None, state: State | None = None) -> Encoded:
        return encode(self.ahead, self.back, self.dropout, x, mask, state)

    def channel_groups(self) -> list[Group]:
        return unit_groups(self.ahead, self.back)

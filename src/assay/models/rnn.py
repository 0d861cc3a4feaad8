"""Elman's recurrent net: layers of one direction or two, tanh, or ReLU started as IRNN."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from assay.contracts import Encoded
from assay.errors import ConfigError
from assay.layers.channels import Group
from assay.layers.random import Dropout
from assay.layers.recurrent import directions, encode, unit_groups
from assay.layers.rnn_cell import KernelRNN, NormalizedRNN, State


class RNN(nn.Module):
    """h_t = f(W x_t + U h_{t-1} + b) of the last layer at every position; backwards beside it where bidirectional.

    Elman, "Finding Structure in Time", 1990; with ReLU Le, Jaitly and Hinton 2015, arXiv:1504.00941 (IRNN), U starting
    as the identity. The cells are in :mod:`assay.layers.rnn_cell`, what runs them in :mod:`assay.layers.recurrent`;
    ``last`` and dropout are as :class:`assay.models.lstm.LSTM`'s. The carried state is (h,), (B, num_layers, H).

    Args:
        input_size: (T or None, D) of an example.
        hidden_size: H, per direction.
        num_layers: one above the other.
        bidirectional: reads backwards too.
        nonlinearity: ``tanh`` or ``relu``.
        dropout: probability that an entry of a layer's output is dropped, the last layer's included.
        normalization: of what f sees; an identity keeps torch's kernel.
    Shape:
        x (B, T, D), mask (B, T) with the valid positions first -> states (B, T, output_size), last (B, output_size)
    Raises:
        ConfigError: nonlinearity is something else, or a state is given to a bidirectional net.
    """

    def __init__(
        self,
        input_size: tuple[int | None, ...],
        hidden_size: int,
        num_layers: int,
        bidirectional: bool,
        nonlinearity: str,
        dropout: float,
        normalization: Callable[..., nn.Module],
    ) -> None:
        super().__init__()
        width = input_size[-1]
        assert width is not None
        if nonlinearity not in ("tanh", "relu"):
            raise ConfigError(f"model.nonlinearity={nonlinearity} is not one of tanh, relu")
        self.output_size = hidden_size * (1 + bidirectional)
        plain = isinstance(normalization(hidden_size, spatial_dims=1), nn.Identity)

        def layer(size: int) -> nn.Module:
            if plain:
                return KernelRNN(size, hidden_size, nonlinearity)
            return NormalizedRNN(size, hidden_size, nonlinearity, normalization)

        self.ahead, self.back = directions(layer, width, hidden_size, num_layers, bidirectional)
        self.dropout = nn.ModuleList([Dropout(dropout) for _ in range(num_layers)])

    def forward(self, x: Tensor, mask: Tensor | None = None, state: State | None = None) -> Encoded:
        return encode(self.ahead, self.back, self.dropout, x, mask, state)

    def channel_groups(self) -> list[Group]:
        return unit_groups(self.ahead, self.back)

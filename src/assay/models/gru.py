"""Gated recurrent units: layers of one direction or two, the reset gate before the matrix product or after it."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from assay.contracts import Encoded
from assay.errors import ConfigError
from assay.layers.channels import Group
from assay.layers.gru_cell import KernelGRU, LoopGRU, State
from assay.layers.random import Dropout
from assay.layers.recurrent import directions, encode, unit_groups


class GRU(nn.Module):
    """h_t = (1-u)∘h_{t-1} + u∘h̃ of the last layer at every position; backwards beside it where bidirectional.

    Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation", 2014,
    arXiv:1406.1078. The reset gate acts on h before the product, as there, or after it, as cuDNN does, in torch's
    kernel. The cells are in :mod:`assay.layers.gru_cell`, what runs them in :mod:`assay.layers.recurrent`; ``last`` and
    dropout are as :class:`assay.models.lstm.LSTM`'s. The carried state is (h,), (B, num_layers, H).

    Args:
        input_size: (T or None, D) of an example.
        hidden_size: H, per direction.
        num_layers: one above the other.
        bidirectional: reads backwards too.
        reset: ``before`` or ``after``.
        dropout: probability that an entry of a layer's output is dropped, the last layer's included.
        normalization: of the products; an identity with ``reset=after`` keeps torch's kernel.
    Shape:
        x (B, T, D), mask (B, T) with the valid positions first -> states (B, T, output_size), last (B, output_size)
    Raises:
        ConfigError: reset is something else, or a state is given to a bidirectional net.
    """

    def __init__(
        self,
        input_size: tuple[int | None, ...],
        hidden_size: int,
        num_layers: int,
        bidirectional: bool,
        reset: str,
        dropout: float,
        normalization: Callable[..., nn.Module],
    ) -> None:
        super().__init__()
        width = input_size[-1]
        assert width is not None
        if reset not in ("before", "after"):
            raise ConfigError(f"model.reset={reset} is not one of before, after")
        self.output_size = hidden_size * (1 + bidirectional)
        plain = isinstance(normalization(hidden_size, spatial_dims=1), nn.Identity)

        def layer(size: int) -> nn.Module:
            if plain and reset == "after":
                return KernelGRU(size, hidden_size)
            return LoopGRU(size, hidden_size, reset, normalization)

        self.ahead, self.back = directions(layer, width, hidden_size, num_layers, bidirectional)
        self.dropout = nn.ModuleList([Dropout(dropout) for _ in range(num_layers)])

    def forward(self, x: Tensor, mask: Tensor | None = None, state: State | None = None) -> Encoded:
        return encode(self.ahead, self.back, self.dropout, x, mask, state)

    def channel_groups(self) -> list[Group]:
        return unit_groups(self.ahead, self.back)

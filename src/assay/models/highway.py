"""Highway network."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from assay.contracts import Encoded
from assay.layers.highway import Highway
from assay.layers.normalization import has_shift
from assay.layers.random import Dropout


class HighwayNet(nn.Module):
    """A plain layer to hidden_size, then layers y = H(x)∘T(x) + x∘(1 - T(x)); the task's head is the output layer.

    Srivastava, Greff and Schmidhuber, "Highway Networks", 2015, arXiv:1505.00387, the fully connected nets of section
    3.1. Differs from the paper: the hidden layers' activation and normalisation are parts.

    Args:
        input_size: (D,) of an example.
        hidden_size: of every layer.
        num_layers: highway layers above the plain one.
        gate_bias: of the transform gates at first.
        activation: makes a layer's activation.
        normalization: makes what stands before it.
        dropout: probability that an entry is dropped, before the head.
    Shape:
        x (B, D) -> last (B, hidden_size)
    """

    def __init__(
        self,
        input_size: tuple[int, ...],
        hidden_size: int,
        num_layers: int,
        gate_bias: float,
        activation: Callable[[], nn.Module],
        normalization: Callable[..., nn.Module],
        dropout: float,
    ) -> None:
        super().__init__()
        (width,) = input_size
        norm = normalization(hidden_size, spatial_dims=0)
        self.first = nn.Sequential(nn.Linear(width, hidden_size, bias=not has_shift(norm)), norm, activation())
        self.layers = nn.Sequential(
            *[Highway(hidden_size, gate_bias, activation, normalization) for _ in range(num_layers)]
        )
        self.dropout = Dropout(dropout)
        self.output_size = hidden_size

    def forward(self, x: Tensor, mask: Tensor | None = None, state: None = None) -> Encoded:
        assert mask is None, "a vector has no positions"
        return Encoded(None, self.dropout(self.layers(self.first(x))))

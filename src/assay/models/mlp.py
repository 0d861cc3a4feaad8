"""Multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from assay.contracts import Encoded
from assay.layers.normalization import has_shift
from assay.layers.random import Dropout


class MLP(nn.Module):
    """Hidden layers x -> dropout(activation(normalization(W x + b))); the task's head is the output layer.

    Rumelhart, Hinton and Williams 1986; the normalisation stands before the activation as in Ioffe and Szegedy 2015.
    Where it adds a shift of its own, that stands for b.

    Args:
        input_size: (D,) of an example.
        hidden_sizes: of the hidden layers, from the input on; none is a linear model.
        activation: makes a hidden layer's activation.
        normalization: makes a hidden layer's normalisation.
        dropout: probability that a hidden unit is dropped.
    Shape:
        x (B, D) -> last (B, hidden_sizes[-1])
    """

    def __init__(
        self,
        input_size: tuple[int, ...],
        hidden_sizes: list[int],
        activation: Callable[[], nn.Module],
        normalization: Callable[..., nn.Module],
        dropout: float,
    ) -> None:
        super().__init__()
        (width,) = input_size
        layers: list[nn.Module] = []
        for size in hidden_sizes:
            norm = normalization(size, spatial_dims=0)
            layers += [nn.Linear(width, size, bias=not has_shift(norm)), norm, activation(), Dropout(dropout)]
            width = size
        self.layers = nn.Sequential(*layers)
        self.output_size = width

    def forward(self, x: Tensor, mask: Tensor | None = None, state: None = None) -> Encoded:
        assert mask is None, "a vector has no positions"
        return Encoded(None, self.layers(x))

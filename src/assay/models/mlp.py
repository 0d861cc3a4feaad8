"""Multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from assay.contracts import Encoded
from assay.layers.random import Dropout


class MLP(nn.Module):
    """h ← dropout(activation(normalisation(W h + b))) for each hidden layer (Rumelhart, Hinton and Williams 1986).

    Args:
        input_size: (D,).
        hidden_sizes: H of each hidden layer.
        activation: makes an activation.
        normalization: makes a normalisation of so many features.
        dropout: probability, after each hidden layer.
    Shape:
        x (B, D) -> last (B, H)
    """

    def __init__(
        self,
        input_size: tuple[int, ...],
        hidden_sizes: list[int],
        activation: Callable[[], nn.Module],
        normalization: Callable[[int], nn.Module],
        dropout: float,
    ) -> None:
        super().__init__()
        (size,) = input_size
        layers: list[nn.Module] = []
        for hidden in hidden_sizes:
            layers += [nn.Linear(size, hidden), normalization(hidden), activation(), Dropout(dropout)]
            size = hidden
        self.layers = nn.Sequential(*layers)
        self.output_size = size

    def forward(self, x: Tensor, mask: Tensor | None = None, state: Any = None) -> Encoded:
        return Encoded(None, self.layers(x))

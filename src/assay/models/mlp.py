"""Multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from assay.contracts import Encoded
from assay.layers.channels import OUTPUT, Group, Slice, chain
from assay.layers.normalization import has_shift
from assay.layers.random import Dropout
from assay.layers.rates import rates


class MLP(nn.Module):
    """Hidden layers x -> dropout(activation(normalization(W x + b))); the task's head is the output layer.

    Rumelhart, Hinton and Williams 1986; the normalisation stands before the activation as in Ioffe and Szegedy 2015.
    Where it adds a shift of its own, that stands for b. Dropout as Hinton et al. 2012, arXiv:1207.0580, who drop half
    of the hidden units and a fifth of the inputs; here what is left is scaled up in training, so that nothing is halved
    afterwards.

    Args:
        input_size: (D,) of an example.
        hidden_sizes: of the hidden layers, from the input on; none is a linear model.
        activation: makes a hidden layer's activation.
        normalization: makes a hidden layer's normalisation.
        dropout: probability that a hidden unit is dropped; a list has one for each hidden layer.
        input_dropout: probability that a number of the input is dropped.
    Shape:
        x (B, D) -> last (B, hidden_sizes[-1])
    Raises:
        ConfigError: there are not as many rates as hidden layers.
    """

    def __init__(
        self,
        input_size: tuple[int, ...],
        hidden_sizes: list[int],
        activation: Callable[[], nn.Module],
        normalization: Callable[..., nn.Module],
        dropout: float | list[float],
        input_dropout: float,
    ) -> None:
        super().__init__()
        (width,) = input_size
        layers: list[nn.Module] = []
        self.input_dropout = Dropout(input_dropout)
        for size, rate in zip(hidden_sizes, rates(dropout, [True] * len(hidden_sizes)), strict=True):
            norm = normalization(size, spatial_dims=0)
            layers += [nn.Linear(width, size, bias=not has_shift(norm)), norm, activation(), Dropout(rate)]
            width = size
        self.layers = nn.Sequential(*layers)
        self.output_size = width

    def forward(self, x: Tensor, mask: Tensor | None = None, state: None = None) -> Encoded:
        assert mask is None, "a vector has no positions"
        return Encoded(None, self.layers(self.input_dropout(x)))

    def channel_groups(self) -> list[Group]:
        return chain([(f"layers.{name}", module) for name, module in self.layers.named_children()], Slice(OUTPUT))

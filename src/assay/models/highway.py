"""Highway network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from assay.contracts import Encoded
from assay.errors import ConfigError
from assay.layers.channels import OUTPUT, Group, Slice, columns, rows, scales, separate
from assay.layers.highway import Highway
from assay.layers.normalization import has_shift
from assay.layers.random import Dropout
from assay.layers.rates import rates


class HighwayNet(nn.Module):
    """A plain layer to hidden_size, then layers y = H(x)∘T(x) + x∘(1 - T(x)); the task's head is the output layer.

    Srivastava, Greff and Schmidhuber, "Highway Networks", 2015, arXiv:1505.00387, the fully connected nets of section
    3.1. Differs from the paper: the hidden layers' activation and normalisation are parts. With ``shared`` one highway
    layer is used ``num_layers`` times, as within a step of Zilly et al., "Recurrent Highway Networks", 2017,
    arXiv:1607.03474, were it not for its input: the gradient of its weights is the sum over the uses.

    Args:
        input_size: (D,) of an example.
        hidden_size: of every layer.
        num_layers: highway layers above the plain one.
        shared: they are one and the same.
        gate_bias: of the transform gates at first.
        activation: makes a layer's activation.
        normalization: makes what stands before it.
        dropout: probability that an entry is dropped, before the head; a list has one after each layer, the plain one
            first.
    Shape:
        x (B, D) -> last (B, hidden_size)
    Raises:
        ConfigError: there are not as many rates as layers, or a shared layer would keep running statistics, which of
            all its uses together are those of none.
    """

    def __init__(
        self,
        input_size: tuple[int, ...],
        hidden_size: int,
        num_layers: int,
        shared: bool,
        gate_bias: float,
        activation: Callable[[], nn.Module],
        normalization: Callable[..., nn.Module],
        dropout: float | list[float],
    ) -> None:
        super().__init__()
        (width,) = input_size
        norm = normalization(hidden_size, spatial_dims=0)
        self.first = nn.Sequential(nn.Linear(width, hidden_size, bias=not has_shift(norm)), norm, activation())
        made = 1 if shared else num_layers
        self.layers = nn.ModuleList([Highway(hidden_size, gate_bias, activation, normalization) for _ in range(made)])
        self.repeats = num_layers if shared else 1
        if shared and any(isinstance(module, nn.BatchNorm1d) for module in self.layers.modules()):
            raise ConfigError("model.shared=true with normalization=batch would mix the layers' statistics: use layer")
        every = rates(dropout, [False] * num_layers + [True])
        self.between = nn.ModuleList(
            [Dropout(rate) for rate in every[:-1]]
        )  # after the plain layer and all but the last
        self.dropout = Dropout(every[-1])
        self.output_size = hidden_size

    def forward(self, x: Tensor, mask: Tensor | None = None, state: None = None) -> Encoded:
        assert mask is None, "a vector has no positions"
        x = self.first(x)
        for layer, dropout in zip(self.repeats * [*self.layers], self.between, strict=True):
            x = layer(dropout(x))
        return Encoded(None, self.dropout(x))

    def channel_groups(self) -> list[Group]:
        """One: a unit is carried through every layer, and leaves all of them."""
        layers: list[Any] = list(self.layers)
        stacks = {"first": self.first, **{f"layers.{i}.transform": one.transform for i, one in enumerate(layers)}}
        norms: dict[str, nn.Module] = {f"{name}.1": stack[1] for name, stack in stacks.items()}
        if not all(separate(norm) for norm in norms.values()):
            return []
        gates = {f"layers.{i}.gate": one.gate for i, one in enumerate(layers)}
        making: dict[str, nn.Module] = {**{f"{name}.0": stack[0] for name, stack in stacks.items()}, **norms, **gates}
        reading = [name for name in making if name.startswith("layers.") and name not in norms]
        return [
            Group(
                "layers",
                len(self.get_parameter("first.0.weight")),
                tuple(one for name, module in making.items() for one in rows(name, module)),
                (*(columns(name) for name in reading), Slice(OUTPUT)),
                tuple(one for name, norm in norms.items() for one in scales(name, norm)),
            )
        ]

"""A layer that can let its input through."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from assay.layers.normalization import has_shift


class Highway(nn.Module):
    """y = H(x)∘T(x) + x∘(1 - T(x)), H(x) = f(W_H x + b_H), T(x) = σ(W_T x + b_T): a learned mix of both.

    Srivastava, Greff and Schmidhuber, "Highway Networks", 2015, arXiv:1505.00387, eq. 3. Differs from the paper: a
    normalisation may stand before f. Whatever ``init`` is chosen, b_T starts at ``gate_bias``.

    Args:
        size: width of input and output.
        gate_bias: negative lets x through at first.
        activation: makes f.
        normalization: makes what stands before f; where it adds a shift, that is b_H.
    Shape:
        x (B, size) -> (B, size)
    """

    def __init__(
        self,
        size: int,
        gate_bias: float,
        activation: Callable[[], nn.Module],
        normalization: Callable[..., nn.Module],
    ) -> None:
        super().__init__()
        norm = normalization(size, spatial_dims=0)
        self.transform = nn.Sequential(nn.Linear(size, size, bias=not has_shift(norm)), norm, activation())
        self.gate = nn.Linear(size, size)
        self.gate_bias = gate_bias
        self.settle()

    def settle(self) -> None:
        """The gate's bias, again after an initialisation that zeroed it."""
        nn.init.constant_(self.gate.bias, self.gate_bias)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.gate(x).sigmoid()
        return self.transform(x) * gate + x * (1 - gate)

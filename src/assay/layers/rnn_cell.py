"""One layer of an Elman net in one direction, twice: torch's kernel, and a loop with layer norm in the cell.

Both are layers as :mod:`assay.layers.recurrent` states them, with the state (h,).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.layers.normalization import has_shift
from assay.layers.recurrent import Carried, Stepped, last_valid

State = tuple[Tensor]


@torch.no_grad()
def start_as_irnn(input_weight: Tensor, recurrent_weight: Tensor) -> None:
    """U = 1 and W ~ N(0, 0.001²): with ReLU the state is at first a sum over time, and gradients keep their length.

    Le, Jaitly and Hinton, "A Simple Way to Initialize Recurrent Networks of Rectified Linear Units", 2015,
    arXiv:1504.00941, section 3. Biases start at zero, which is the caller's.
    """
    nn.init.eye_(recurrent_weight)
    nn.init.normal_(input_weight, 0.0, 0.001)


class KernelRNN(nn.Module):
    """h_t = f(W x_t + U h_{t-1} + b), f tanh or ReLU.

    Elman, "Finding Structure in Time", 1990, as ``nn.RNN`` computes it (two bias vectors; with tanh a uniform start in
    ±1/√H). With ReLU it is IRNN, which starts as :func:`start_as_irnn` says; a chosen ``init`` replaces that.

    Args:
        input_size: D.
        hidden_size: H.
        nonlinearity: ``tanh`` or ``relu``.
    Shape:
        x (B, T, D), mask (B, T), state (h,) of (B, H) -> states (B, T, H), (h,)
    """

    def __init__(self, input_size: int, hidden_size: int, nonlinearity: str) -> None:
        super().__init__()
        self.kernel = nn.RNN(input_size, hidden_size, nonlinearity=nonlinearity, batch_first=True)
        if nonlinearity == "relu":
            input_weight, recurrent_weight, *biases = self.kernel.parameters()  # in torch's order
            start_as_irnn(input_weight, recurrent_weight)
            for bias in biases:
                nn.init.zeros_(bias)

    def forward(self, x: Tensor, mask: Tensor | None = None, state: State | None = None) -> tuple[Tensor, State]:
        states, h = self.kernel(x, None if state is None else state[0].unsqueeze(0))
        if mask is None:
            return states, (h[0],)
        return states, (last_valid(states, mask, None if state is None else state[0]),)

    def zeros(self, x: Tensor) -> Carried:
        return (x.new_zeros(x.shape[0], self.kernel.hidden_size),)

    def step(self, x: Tensor, state: Carried) -> Stepped:
        """As the kernel computes it, see :class:`assay.layers.recurrent.Steps`."""
        input_weight, recurrent_weight, input_bias, bias = self.kernel.all_weights[0]
        a = F.linear(x, input_weight, input_bias) + F.linear(state[0], recurrent_weight, bias)
        f = str(self.kernel.nonlinearity)
        h = a.relu() if f == "relu" else a.tanh()
        return Stepped((h,), {"state": (f, h)})


class NormalizedRNN(nn.Module):
    """h_t = f(LN(W x_t + U h_{t-1})), the shift of LN in the place of b.

    Ba, Kiros and Hinton, "Layer Normalization", 2016, arXiv:1607.06450, eq. 4. Weights start as the plain layer's.
    With a normalisation that has no shift of its own there is b before f.

    Args:
        input_size: D.
        hidden_size: H.
        nonlinearity: ``tanh`` or ``relu``.
        normalization: makes LN for a number of features.
    Shape:
        as :class:`KernelRNN`
    """

    def __init__(
        self, input_size: int, hidden_size: int, nonlinearity: str, normalization: Callable[..., nn.Module]
    ) -> None:
        super().__init__()
        bound = hidden_size**-0.5
        self.relu = nonlinearity == "relu"
        self.weight_x = nn.Parameter(torch.empty(hidden_size, input_size).uniform_(-bound, bound))
        self.weight_h = nn.Parameter(torch.empty(hidden_size, hidden_size).uniform_(-bound, bound))
        self.norm = normalization(hidden_size, spatial_dims=1)
        self.bias = None if has_shift(self.norm) else nn.Parameter(torch.zeros(hidden_size))
        if self.relu:
            start_as_irnn(self.weight_x, self.weight_h)

    def forward(self, x: Tensor, mask: Tensor | None = None, state: State | None = None) -> tuple[Tensor, State]:
        inputs = F.linear(x, self.weight_x)  # (B, T, H)
        h = inputs.new_zeros(len(x), inputs.shape[-1]) if state is None else state[0]
        valid = None if mask is None else mask.unsqueeze(-1).unbind(1)  # T of (B, 1)
        states = []
        for t, a in enumerate(inputs.unbind(1)):
            a = self.norm(a + F.linear(h, self.weight_h))  # (B, H)
            if self.bias is not None:
                a = a + self.bias
            new = a.relu() if self.relu else a.tanh()
            h = new if valid is None else torch.where(valid[t], new, h)
            states.append(h)
        return torch.stack(states, 1), (h,)

    def zeros(self, x: Tensor) -> Carried:
        return (x.new_zeros(x.shape[0], self.weight_h.shape[0]),)

    def step(self, x: Tensor, state: Carried) -> Stepped:
        """One turn of the loop, see :class:`assay.layers.recurrent.Steps`."""
        a = self.norm(F.linear(x, self.weight_x) + F.linear(state[0], self.weight_h))
        if self.bias is not None:
            a = a + self.bias
        h = a.relu() if self.relu else a.tanh()
        return Stepped((h,), {"state": ("relu" if self.relu else "tanh", h)})

"""One layer of gated recurrent units in one direction, twice: torch's kernel, and a loop for what that lacks.

Both are layers as :mod:`assay.layers.recurrent` states them, with the state (h,). The rows of every weight are those
of r, z and h̃, one above the other, in torch's order.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.layers.normalization import has_shift
from assay.layers.recurrent import Carried, Stepped, last_valid

State = tuple[Tensor]


class KernelGRU(nn.Module):
    """u, r = σ(W x_t + U h_{t-1} + b) each; h̃ = tanh(W x_t + b + r∘(U h_{t-1} + b')); h_t = (1-u)∘h_{t-1} + u∘h̃.

    Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014, arXiv:1406.1078, with the reset gate
    after the product, as cuDNN and ``nn.GRU`` have it. torch's z is 1 - u: the same function, the gate's weights with
    the other sign.

    Args:
        input_size: D.
        hidden_size: H.
    Shape:
        x (B, T, D), mask (B, T), state (h,) of (B, H) -> states (B, T, H), (h,)
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.kernel = nn.GRU(input_size, hidden_size, batch_first=True)

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
        xr, xz, xn = F.linear(x, input_weight, input_bias).chunk(3, -1)
        hr, hz, hn = F.linear(state[0], recurrent_weight, bias).chunk(3, -1)
        r, z = (xr + hr).sigmoid(), (xz + hz).sigmoid()
        n = (xn + r * hn).tanh()
        return Stepped((z * state[0] + (1 - z) * n,), _units(r, z, n))


class LoopGRU(nn.Module):
    """The reset gate before the product, h̃ = tanh(W x_t + U(r∘h_{t-1}) + b), or after it; layer norm where given.

    Cho et al. 2014, eq. 5-8 (before), z = 1 - u as there. With a normalisation, Ba, Kiros and Hinton, "Layer
    Normalization", 2016, arXiv:1607.06450, supplementary eq. for GRUs: LN(W x_t) and LN(U h_{t-1}) in the place of
    each product, r and z normalised together and h̃ by itself; the shifts of LN in the place of b. Differs from that
    paper: z is on the other side, as above, and LN(U(r∘h_{t-1})) is here too. Weights start uniform in ±1/√H, b at 0.

    Args:
        input_size: D.
        hidden_size: H.
        reset: ``before`` or ``after``.
        normalization: makes LN for a number of features, or an identity.
    Shape:
        as :class:`KernelGRU`
    """

    stacked = 3  # matrices in each weight, one above the other (see initialization)

    def __init__(self, input_size: int, hidden_size: int, reset: str, normalization: Callable[..., nn.Module]) -> None:
        super().__init__()
        bound = hidden_size**-0.5
        self.before = reset == "before"
        self.sizes = (2 * hidden_size, hidden_size)
        self.weight_x = nn.Parameter(torch.empty(3 * hidden_size, input_size).uniform_(-bound, bound))
        self.weight_h = nn.Parameter(torch.empty(3 * hidden_size, hidden_size).uniform_(-bound, bound))
        self.norm_x = nn.ModuleList([normalization(size, spatial_dims=1) for size in self.sizes])
        self.norm_h = nn.ModuleList([normalization(size, spatial_dims=1) for size in self.sizes])
        self.bias = None if has_shift(self.norm_x[0]) else nn.Parameter(torch.zeros(3 * hidden_size))

    def forward(self, x: Tensor, mask: Tensor | None = None, state: State | None = None) -> tuple[Tensor, State]:
        gates, new = F.linear(x, self.weight_x).split(self.sizes, -1)  # (B, T, 2H), (B, T, H)
        gates, new = self.norm_x[0](gates), self.norm_x[1](new)
        if self.bias is not None:
            gate_bias, new_bias = self.bias.split(self.sizes)
            gates, new = gates + gate_bias, new + new_bias
        gate_weight, new_weight = self.weight_h.split(self.sizes)
        h = new.new_zeros(len(x), new.shape[-1]) if state is None else state[0]
        valid = None if mask is None else mask.unsqueeze(-1).unbind(1)  # T of (B, 1)
        states = []
        for t, (gate, a) in enumerate(zip(gates.unbind(1), new.unbind(1), strict=True)):
            r, z = (gate + self.norm_h[0](F.linear(h, gate_weight))).sigmoid().chunk(2, -1)  # (B, H) each
            if self.before:
                a = a + self.norm_h[1](F.linear(r * h, new_weight))
            else:
                a = a + r * self.norm_h[1](F.linear(h, new_weight))
            h_new = z * h + (1 - z) * a.tanh()
            h = h_new if valid is None else torch.where(valid[t], h_new, h)
            states.append(h)
        return torch.stack(states, 1), (h,)

    def refit(self) -> None:
        """After units left its weights."""
        self.sizes = (2 * self.weight_h.shape[1], self.weight_h.shape[1])

    def zeros(self, x: Tensor) -> Carried:
        return (x.new_zeros(x.shape[0], self.sizes[1]),)

    def step(self, x: Tensor, state: Carried) -> Stepped:
        """One turn of the loop, see :class:`assay.layers.recurrent.Steps`."""
        (h,) = state
        gates, new = F.linear(x, self.weight_x).split(self.sizes, -1)
        gates, new = self.norm_x[0](gates), self.norm_x[1](new)
        if self.bias is not None:
            gate_bias, new_bias = self.bias.split(self.sizes)
            gates, new = gates + gate_bias, new + new_bias
        gate_weight, new_weight = self.weight_h.split(self.sizes)
        r, z = (gates + self.norm_h[0](F.linear(h, gate_weight))).sigmoid().chunk(2, -1)
        if self.before:
            n = (new + self.norm_h[1](F.linear(r * h, new_weight))).tanh()
        else:
            n = (new + r * self.norm_h[1](F.linear(h, new_weight))).tanh()
        return Stepped((z * h + (1 - z) * n,), _units(r, z, n))


def _units(r: Tensor, z: Tensor, n: Tensor) -> dict[str, tuple[str, Tensor]]:
    """torch's z is 1 - u: where it is near 1 the state stays."""
    return {"reset": ("sigmoid", r), "keep": ("sigmoid", z), "candidate": ("tanh", n)}

"""One layer of long short-term memory in one direction, twice: torch's kernel, and a loop with layer norm in the cell.

Both are ``layer(x, mask, state) -> (states, (h, c))``: x (B, T, D), mask (B, T) bool with the valid positions first,
h and c (B, H) after the last valid position. States at padded positions are undefined; the model clears them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.layers.recurrent import Carried, Stepped, last_valid

State = tuple[Tensor, Tensor]

_SHUT = 1e4  # σ(±1e4 + anything usual) is exactly 1 or 0 in every float type, and its gradient exactly 0


class KernelLSTM(nn.Module):
    """i, f, o = σ(W x_t + U h_{t-1} + b) each; c̃ = tanh(·); c_t = f∘c_{t-1} + i∘c̃; h_t = o∘tanh(c_t).

    Hochreiter and Schmidhuber 1997 with the forget gate of Gers, Schmidhuber and Cummins 2000, as ``nn.LSTM`` computes
    it (two bias vectors, uniform start in ±1/√H). Differs from the papers: no peepholes.

    The kernel gives h at every position but c at the last one only. For ragged batches it runs with one more input,
    which is 1 where padded and opens the forget gate and shuts the input gate there, so that c stands still: the
    result equals packed sequences bit for bit in c, without lengths travelling to the host.

    Args:
        input_size: D.
        hidden_size: H.
        forget_bias: of the forget gate at the start: Gers et al. 2000, section 4; 1 in Jozefowicz, Zaremba and
            Sutskever, "An Empirical Exploration of Recurrent Network Architectures", 2015, section 5.1. At 0 the two
            biases start as torch's.
    Shape:
        see the file's docstring
    """

    def __init__(self, input_size: int, hidden_size: int, forget_bias: float = 0.0) -> None:
        super().__init__()
        self.kernel = nn.LSTM(input_size, hidden_size, batch_first=True)
        self.forget_bias = forget_bias
        self.settle()

    @torch.no_grad()
    def settle(self) -> None:
        """The forget gate's bias, after any initialisation: whole in the first of torch's two, none in the second."""
        if self.forget_bias:
            _, _, input_bias, bias = self.kernel.parameters()  # in torch's order
            input_bias.chunk(4)[1].fill_(self.forget_bias)
            bias.chunk(4)[1].zero_()

    def forward(self, x: Tensor, mask: Tensor | None = None, state: State | None = None) -> tuple[Tensor, State]:
        start = None if state is None else (state[0].unsqueeze(0), state[1].unsqueeze(0))  # (1, B, H) each
        if mask is None:
            states, (h, c) = self.kernel(x, start)
            return states, (h[0], c[0])
        states, c = self._hold(x, mask, start)
        return states, (last_valid(states, mask, None if state is None else state[0]), c)

    def zeros(self, x: Tensor) -> Carried:
        zero = x.new_zeros(x.shape[0], self.kernel.hidden_size)
        return zero, zero

    def step(self, x: Tensor, state: Carried) -> Stepped:
        """As the kernel computes it, see :class:`assay.layers.recurrent.Steps`."""
        input_weight, recurrent_weight, input_bias, bias = self.kernel.all_weights[0]
        i, f, g, o = (F.linear(x, input_weight, input_bias) + F.linear(state[0], recurrent_weight, bias)).chunk(4, -1)
        i, f, o, g = i.sigmoid(), f.sigmoid(), o.sigmoid(), g.tanh()
        c = f * state[1] + i * g
        return Stepped((o * c.tanh(), c), _units(i, f, o, g))

    def _hold(self, x: Tensor, mask: Tensor, start: State | None) -> tuple[Tensor, Tensor]:
        """The kernel, with c held at padded positions."""
        lstm = self.kernel
        size = lstm.hidden_size
        hold = x.new_tensor([-_SHUT, _SHUT, 0, 0]).repeat_interleave(size).unsqueeze(1)  # (4H, 1): i, f, c̃, o
        input_weight, *rest = lstm.parameters()  # in torch's order: W, U, and a bias each
        weights = [torch.cat([input_weight, hold], 1), *rest]
        if x.is_cuda:  # cuDNN wants its weights in one chunk, and warns where it has to collect them
            weights = in_one_chunk(weights)
        x = torch.cat([x, (~mask).unsqueeze(-1).to(x.dtype)], -1)  # (B, T, D + 1)
        if start is None:
            zero = x.new_zeros(1, len(x), size)
            start = (zero, zero)
        states, _, c = torch.lstm(x, start, weights, True, 1, 0.0, self.training, False, True)
        return states, c[0]


class NormalizedLSTM(nn.Module):
    """f, i, o, g = LN(W_h h_{t-1}) + LN(W_x x_t) + b; c_t = σ(f)∘c_{t-1} + σ(i)∘tanh(g); h_t = σ(o)∘tanh(LN(c_t)).

    Ba, Kiros and Hinton, "Layer Normalization", 2016, arXiv:1607.06450, eq. 20-22; the first two normalise all four
    gates together. Differs from the paper: weights start uniform in ±1/√H and b at 0, as the plain layer's scale.

    Args:
        input_size: D.
        hidden_size: H.
        normalization: makes LN for a number of features.
        forget_bias: as :class:`KernelLSTM`'s.
    Shape:
        see the file's docstring
    """

    stacked = 4  # gates in each weight, one above the other (see initialization)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        normalization: Callable[..., nn.Module],
        forget_bias: float = 0.0,
    ) -> None:
        super().__init__()
        bound = hidden_size**-0.5
        self.weight_x = nn.Parameter(torch.empty(4 * hidden_size, input_size).uniform_(-bound, bound))
        self.weight_h = nn.Parameter(torch.empty(4 * hidden_size, hidden_size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(4 * hidden_size))
        self.norm_x = normalization(4 * hidden_size, spatial_dims=1)
        self.norm_h = normalization(4 * hidden_size, spatial_dims=1)
        self.norm_c = normalization(hidden_size, spatial_dims=1)
        self.forget_bias = forget_bias
        self.settle()

    @torch.no_grad()
    def settle(self) -> None:
        """The forget gate's bias, after any initialisation."""
        if self.forget_bias:
            self.bias.chunk(4)[0].fill_(self.forget_bias)

    def forward(self, x: Tensor, mask: Tensor | None = None, state: State | None = None) -> tuple[Tensor, State]:
        inputs = self.norm_x(F.linear(x, self.weight_x)) + self.bias  # (B, T, 4H)
        if state is None:
            zero = inputs.new_zeros(len(x), self.weight_h.shape[1])
            state = (zero, zero)
        h, c = state
        valid = None if mask is None else mask.unsqueeze(-1).unbind(1)  # T of (B, 1)
        states = []
        for t, gates in enumerate(inputs.unbind(1)):
            f, i, o, g = (gates + self.norm_h(F.linear(h, self.weight_h))).chunk(4, -1)  # (B, H) each
            c_new = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h_new = o.sigmoid() * self.norm_c(c_new).tanh()
            if valid is None:
                h, c = h_new, c_new
            else:
                h, c = torch.where(valid[t], h_new, h), torch.where(valid[t], c_new, c)
            states.append(h)
        return torch.stack(states, 1), (h, c)

    def zeros(self, x: Tensor) -> Carried:
        zero = x.new_zeros(x.shape[0], self.weight_h.shape[1])
        return zero, zero

    def step(self, x: Tensor, state: Carried) -> Stepped:
        """One turn of the loop, see :class:`assay.layers.recurrent.Steps`."""
        inputs = self.norm_x(F.linear(x, self.weight_x)) + self.bias
        f, i, o, g = (inputs + self.norm_h(F.linear(state[0], self.weight_h))).chunk(4, -1)
        i, f, o, g = i.sigmoid(), f.sigmoid(), o.sigmoid(), g.tanh()
        c = f * state[1] + i * g
        return Stepped((o * self.norm_c(c).tanh(), c), _units(i, f, o, g))


def _units(i: Tensor, f: Tensor, o: Tensor, g: Tensor) -> dict[str, tuple[str, Tensor]]:
    return {"input": ("sigmoid", i), "forget": ("sigmoid", f), "output": ("sigmoid", o), "candidate": ("tanh", g)}


def in_one_chunk(tensors: list[Tensor]) -> list[Tensor]:
    """The same values as views of one tensor, one after the other."""
    pieces = torch.cat([tensor.flatten() for tensor in tensors]).split([tensor.numel() for tensor in tensors])
    return [piece.view_as(tensor) for piece, tensor in zip(pieces, tensors, strict=True)]

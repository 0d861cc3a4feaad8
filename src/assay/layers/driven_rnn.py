"""One layer of an Elman net whose inputs are summed before it: what drives it is of the width of its states."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.errors import ConfigError
from assay.layers.recurrent import Carried, Stepped, last_valid

NONLINEARITIES = ("sigmoid", "tanh", "relu")


class DrivenRNN(nn.Module):
    """s_t = f(a_t + W s_{t-1} + b), f logistic, tanh or ReLU, by torch's kernel.

    Elman, "Finding Structure in Time", 1990. The kernel has no logistic function; σ(a) = (1 + tanh(a/2)) / 2, so it is
    run on h = 2s - 1, for which h_t = tanh(a_t/2 + (W/4) h_{t-1} + b/2 + (W/4) 1), and h_0 = -1 where s_0 = 0. Its
    matrix of inputs is the identity. Weights start in ±1/√H as torch's.

    Args:
        hidden_size: H.
        nonlinearity: f, ``sigmoid``, ``tanh`` or ``relu``.
    Shape:
        a (B, T, H), mask (B, T) with the valid positions first, state (s,) of (B, H) -> states (B, T, H), (s,)
    Raises:
        ConfigError: nonlinearity is something else.
    """

    def __init__(self, hidden_size: int, nonlinearity: str) -> None:
        super().__init__()
        if nonlinearity not in NONLINEARITIES:
            raise ConfigError(f"model.nonlinearity={nonlinearity} is not one of {', '.join(NONLINEARITIES)}")
        self.nonlinearity = nonlinearity
        bound = hidden_size**-0.5
        self.weight_h = nn.Parameter(torch.empty(hidden_size, hidden_size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(hidden_size).uniform_(-bound, bound))

    def forward(self, a: Tensor, mask: Tensor | None = None, state: Carried | None = None) -> tuple[Tensor, Carried]:
        a = a.to(self.weight_h.dtype)  # the kernel takes one type of number
        start = self.zeros(a)[0] if state is None else state[0]
        states = self._logistic(a, start) if self.nonlinearity == "sigmoid" else self._kernel(a, start)
        last = states[:, -1] if mask is None else last_valid(states, mask, start)
        return states, (last,)

    def zeros(self, a: Tensor) -> Carried:
        return (a.new_zeros(a.shape[0], len(self.bias)),)

    def step(self, x: Tensor, state: Carried) -> Stepped:
        """As the kernel computes it, see :class:`assay.layers.recurrent.Steps`."""
        a = x + F.linear(state[0], self.weight_h, self.bias)
        s = getattr(torch, self.nonlinearity)(a)
        return Stepped((s,), {"state": (self.nonlinearity, s)})

    def _kernel(self, a: Tensor, start: Tensor) -> Tensor:
        return self._run(a, start, self.weight_h, self.bias)

    def _logistic(self, a: Tensor, start: Tensor) -> Tensor:
        quarter = self.weight_h / 4
        return (1 + self._run(a / 2, 2 * start - 1, quarter, self.bias / 2 + quarter.sum(1))) / 2

    def _run(self, a: Tensor, start: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        size = len(bias)
        parts = (torch.eye(size, dtype=weight.dtype, device=weight.device), weight, bias, torch.zeros_like(bias))
        flat = torch.cat([part.reshape(-1) for part in parts])  # in one piece, as CUDA's kernel wants them
        whole = flat.split([size * size, size * size, size, size])
        weights = [part.view(like.shape) for part, like in zip(whole, parts, strict=True)]
        kernel = torch.rnn_relu if self.nonlinearity == "relu" else torch.rnn_tanh
        # one layer with biases, no dropout of its own, one direction, batch first
        return kernel(a, start.unsqueeze(0).contiguous(), weights, True, 1, 0.0, self.training, False, True)[0]

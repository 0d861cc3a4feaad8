"""One layer of long short-term memory with layer normalisation inside the cell."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor]


class NormalizedLSTMLayer(nn.Module):
    """(f, i, o, g) = LN(U h_{t-1}) + LN(W x_t) + b; c_t = σ(f)∘c_{t-1} + σ(i)∘tanh(g); h_t = σ(o)∘tanh(LN(c_t)).

    Ba, Kiros and Hinton, "Layer Normalization", 2016, arXiv:1607.06450, equations 20-22. Gates are stacked in torch's
    order (i, f, g, o); the bias b is the normalisations' own.

    Args:
        input_size: D.
        hidden_size: H.
        normalization: makes a normalisation of so many features.
    Shape:
        x (B, T, D), lengths (B,), state (h, c) each (B, H) -> states (B, T, H), state at each sequence's own end
    """

    def __init__(self, input_size: int, hidden_size: int, normalization: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.input = nn.Linear(input_size, 4 * hidden_size, bias=False)
        self.recurrent = nn.Linear(hidden_size, 4 * hidden_size, bias=False)
        self.input_norm = normalization(4 * hidden_size)
        self.recurrent_norm = normalization(4 * hidden_size)
        self.cell_norm = normalization(hidden_size)
        self.hidden_size = hidden_size
        bound = hidden_size**-0.5
        for weight in (self.input.weight, self.recurrent.weight):
            nn.init.uniform_(weight, -bound, bound)  # as nn.LSTM

    def forward(self, x: Tensor, lengths: Tensor | None = None, state: State | None = None) -> tuple[Tensor, State]:
        h, c = state if state is not None else (x.new_zeros(len(x), self.hidden_size),) * 2
        driven = self.input_norm(self.input(x))  # (B, T, 4H)
        states = []
        for t, step in enumerate(driven.unbind(1)):
            before = h, c
            i, f, g, o = (step + self.recurrent_norm(self.recurrent(h))).chunk(4, -1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * self.cell_norm(c).tanh()
            if lengths is not None:
                on = (t < lengths).unsqueeze(-1)
                h, c = torch.where(on, h, before[0]), torch.where(on, c, before[1])
            states.append(h)
        return torch.stack(states, 1), (h, c)

"""Exponential moving average of the weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from assay.contracts import Scope


class ExponentialAverage:
    """θ̄ ← d θ̄ + (1 - d) θ after each step t, d = min(decay, (1 + t) / (10 + t)).

    Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992; the warm-up of d is TensorFlow's
    ``ExponentialMovingAverage(num_updates)``. Buffers (batch norm's statistics) are copied, not averaged.

    Args:
        network: whose weights are averaged.
        decay: d in the long run.
    """

    scope = Scope.STEP

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self._names = [name for name, _ in network.named_parameters()]
        self._network = network
        self.average = [p.detach().clone() for p in network.parameters()]

    @torch.no_grad()
    def update(self) -> None:
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self.average, [p.detach() for p in self._network.parameters()], 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The averaged weights stand in the network; on leaving, the trained ones are back bit for bit."""
        live = list(self._network.parameters())
        kept = [p.detach().clone() for p in live]
        try:
            with torch.no_grad():
                for p, mean in zip(live, self.average, strict=True):
                    p.copy_(mean)
            yield
        finally:
            with torch.no_grad():
                for p, old in zip(live, kept, strict=True):
                    p.copy_(old)

    def state(self) -> dict[str, Tensor]:
        return {"steps": torch.tensor(self.steps), **dict(zip(self._names, self.average, strict=True))}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.steps = int(state["steps"])
        for name, mean in zip(self._names, self.average, strict=True):
            mean.copy_(state[name])

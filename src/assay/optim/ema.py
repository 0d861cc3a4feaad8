"""Averaged weights: a second copy of the parameters that follows the first at a distance."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from assay.contracts import Scope


class ExponentialAverage:
    """a_t = d_t a_{t-1} + (1 - d_t) w_t, d_t = min(decay, (1 + t) / (10 + t)), t counted from 0.

    Polyak and Juditsky 1992 average evenly; the exponential form and the smaller decay of the first steps are
    TensorFlow's ``ExponentialMovingAverage``. Buffers (batch-norm statistics) are averages already and stay the
    network's own; a shared parameter is averaged once.

    Args:
        network: on the device where it will train.
        decay: d, per step.
    """

    scope = Scope.STEP

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        named = dict(network.named_parameters())
        self._names = list(named)
        self._weights: list[Tensor] = list(named.values())
        self._average = [weight.detach().clone() for weight in self._weights]

    @torch.no_grad()
    def update(self) -> None:
        """After each optimiser step."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        torch._foreach_lerp_(self._average, self._weights, 1 - decay)

    @contextmanager
    def applied(self) -> Generator[None]:
        """The network with its averaged weights; its own come back bit for bit, whatever happens inside.

        Values are copied, not tensors exchanged: optimisers and recurrent kernels hold on to the tensors themselves.
        """
        own = [weight.detach().clone() for weight in self._weights]
        self._copy(self._average)
        try:
            yield
        finally:
            self._copy(own)

    @torch.no_grad()
    def _copy(self, values: list[Tensor]) -> None:
        for weight, value in zip(self._weights, values, strict=True):  # not _foreach_copy_, which knows no shards
            weight.copy_(value)

    def state(self) -> dict[str, Tensor]:
        average = {f"average.{name}": value for name, value in zip(self._names, self._average, strict=True)}
        return {"updates": torch.tensor(self.updates), **average}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.updates = int(state["updates"])
        for name, value in zip(self._names, self._average, strict=True):
            value.copy_(state[f"average.{name}"])

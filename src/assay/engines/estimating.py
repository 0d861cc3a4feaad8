"""The step of a network that is fitted by counting: sums over an epoch, then parameters from the sums.

To the loop it is a :class:`assay.engines.step.Step` whose optimiser has nothing to do: order, log, validation,
checkpoints and resuming are those of every run. An epoch is one round of the fit (of expectation-maximisation; of plain
counts the only one that is needed), and what is validated after it are the parameters that the round ended with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from assay.contracts import Batch, Carried, Estimator, Stateful, Task, TrainState
from assay.engines.step import divide
from assay.state import flatten, under


class Estimating:
    """One batch of one network's fit.

    Args:
        task: whose network it is.
        network: an :class:`assay.contracts.Estimator`.
        optimizer: of ``optim=none``.
    """

    ranks: Any = None
    carries: Mapping[str, Carried] = {}
    average: Any = None
    schedule: Any = None
    clip: Any = None
    masks: Any = None
    settled = 0

    def __init__(self, task: Task, network: nn.Module, optimizer: Optimizer) -> None:
        assert isinstance(network, Estimator)
        self.task, self.network, self.optimizer = task, network, optimizer
        self.estimator: Estimator = network
        self.parameters: list[Tensor] = [*chain(network.parameters(), network.buffers())]
        carry = getattr(network, "carry", None)
        self.parts: dict[str, Stateful | None] = {"carry": carry} if isinstance(carry, Carried) else {}

    def capture(self) -> TrainState:
        flat = flatten(dict(self.network.state_dict()), "network")
        for name, part in self.parts.items():
            flat |= {f"{name}.{key}": value for key, value in (part.state() if part is not None else {}).items()}
        return {key: value.detach().clone() for key, value in flat.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.network.load_state_dict(under(state, "network"))
        for name, part in self.parts.items():
            if part is not None:
                part.load_state(under(state, name))

    @torch.no_grad()
    def __call__(
        self,
        micro_batches: Sequence[Batch],
        epoch: int,
        number: int,
        backward: Callable[..., Any] | None = None,
        move: Callable[[], Any] | None = None,
    ) -> Tensor:
        """Counts the batches and returns their loss under the parameters as they are."""
        carry: Any = self.parts.get("carry")
        if carry is not None:
            carry.begin()
        terms = [self.estimator.accumulate(batch) for batch in micro_batches]
        if carry is not None:
            carry.advance()
        if move is not None:
            move()
        total, weight = terms[0]
        for term in terms[1:]:
            total, weight = total + term.total, weight + term.weight
        return divide({"fit": terms[0]._replace(total=total, weight=weight)}).detach()

    @torch.no_grad()
    def visited(self) -> None:
        """The epoch's examples are counted: new parameters."""
        self.estimator.maximize()

    def epoch_ended(self) -> None:
        """There is no schedule."""

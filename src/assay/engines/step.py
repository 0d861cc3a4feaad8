"""One optimiser step, written once: what Lightning's loop, a replay and a bare loop all call.

The contract (DESIGN, "The contracts"): terms are summed over micro-batches and divided by their summed weights, so
that an accumulated step has the gradient of one large batch; random numbers come from ``streams`` keyed by the step;
and everything the step changes is in the :data:`~assay.contracts.TrainState`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from assay.contracts import Batch, Stateful, Task, Term, TrainState
from assay.layers.random import KeyedStreams
from assay.state import capture, restore


def divide(terms: Mapping[str, Term]) -> Tensor:
    """Σ total / weight: the loss of one batch."""
    losses = [term.total / term.weight for term in terms.values()]
    return losses[0] if len(losses) == 1 else torch.stack(losses).sum()


class Step:
    """One step of one network.

    Args:
        task: its ``terms`` are what is minimised; it holds the objective.
        network: the task's network, on its device.
        optimizer: over the parameters of network and objective.
        streams: where dropout draws.
        augment: batch -> batch, before the network sees it.
        clip: of the gradients, in place.
        average: EMA, updated after each step.
        schedule: of the optimiser's rates.
    """

    def __init__(
        self,
        task: Task,
        network: nn.Module,
        optimizer: Optimizer,
        *,
        streams: KeyedStreams,
        augment: Callable[[Batch, int], Batch] | None = None,
        clip: Callable[[list[Tensor]], Any] | None = None,
        average: Any = None,
        schedule: Any = None,
    ) -> None:
        self.task = task
        self.network = network
        self.optimizer = optimizer
        self.streams = streams
        self.augment = augment
        self.clip = clip
        self.average = average
        self.schedule = schedule
        self.parameters = [p for group in optimizer.param_groups for p in group["params"]]

    @property
    def parts(self) -> dict[str, Stateful | None]:
        return {"ema": self.average, "schedule": self.schedule}

    def capture(self) -> TrainState:
        return capture(self.network, self.task.objective, self.optimizer, self.parts)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        restore(state, self.network, self.task.objective, self.optimizer, self.parts)

    def __call__(
        self,
        micro_batches: Sequence[Batch],
        epoch: int,
        number: int,
        backward: Callable[..., Any] = Tensor.backward,
        move: Callable[[], Any] | None = None,
    ) -> Tensor:
        """Takes the step and returns its loss, detached, still on the device.

        Args:
            micro_batches: accumulated; one for a plain step.
            epoch: counted from 0, for augmentation.
            number: of the step, counted from 0, for the streams.
            backward: how to differentiate (a loop with loss scaling passes its own).
            move: how to step the optimiser (a loop that counts steps passes its own).
        """
        self.optimizer.zero_grad()
        if len(micro_batches) == 1:
            loss = divide(self._terms(micro_batches[0], epoch, number))
            backward(loss)
            loss = loss.detach()
        else:
            loss = self._accumulate(micro_batches, epoch, number, backward)
        if self.clip is not None:
            self.clip(self.parameters)
        if move is None:
            self.optimizer.step()
        else:
            move()
        if self.average is not None:
            self.average.update()
        if self.schedule is not None:
            self.schedule.stepped()
        return loss

    def _terms(self, batch: Batch, epoch: int, number: int, micro: int = 0) -> dict[str, Term]:
        if self.augment is not None:
            batch = self.augment(batch, epoch)
        return self.task.terms(self.network, batch, self.streams.at(number, micro))

    def _accumulate(
        self, micro_batches: Sequence[Batch], epoch: int, number: int, backward: Callable[..., Any]
    ) -> Tensor:
        """The gradient of Σ_terms (Σ_micro total) / (Σ_micro weight), one micro-batch in memory at a time.

        The weights of later micro-batches are unknown while earlier ones are differentiated, so each term's gradient
        is summed undivided and divided at the end. A single term, the usual case, needs no second set of gradients.
        """
        totals: dict[str, Tensor] = {}
        weights: dict[str, Tensor | float] = {}
        sums: dict[str, list[Tensor]] = {}
        for micro, batch in enumerate(micro_batches):
            terms = self._terms(batch, epoch, number, micro)
            for name, term in terms.items():
                totals[name] = totals.get(name, 0) + term.total.detach()
                weights[name] = weights.get(name, 0) + term.weight
            for position, (name, term) in enumerate(terms.items()):
                if len(terms) == 1:
                    backward(term.total)
                    continue
                held = [p.grad for p in self.parameters]
                for p, total in zip(self.parameters, sums.get(name, [None] * len(held)), strict=True):
                    p.grad = total
                backward(term.total, retain_graph=position < len(terms) - 1)
                sums[name] = [p.grad for p in self.parameters]
                for p, grad in zip(self.parameters, held, strict=True):
                    p.grad = grad
        if sums:
            for i, p in enumerate(self.parameters):
                parts = [grads[i] / weights[name] for name, grads in sums.items() if grads[i] is not None]
                p.grad = torch.stack(parts).sum(0) if parts else None
        else:
            (weight,) = weights.values()
            for p in self.parameters:
                if p.grad is not None:
                    p.grad.div_(weight)
        return torch.stack([torch.as_tensor(totals[name] / weights[name]) for name in totals]).sum()

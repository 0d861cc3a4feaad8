"""One optimiser step, written once: what Lightning's loop, a replay and a bare loop all call.

The contract (DESIGN, "The contracts"): terms are summed over micro-batches and processes and divided by their summed
weights, so that an accumulated step, or one that several processes share, has the gradient of one large batch; random
numbers come from ``streams`` keyed by the step; and everything the step changes is in the
:data:`~assay.contracts.TrainState`.

Several processes sum totals and weights before the backward pass and gradients after it, those of all parameters in one
piece; or, where a message costs more than its length (on CPUs) and there is one term, everything after it. Not torch's
``DistributedDataParallel``: that divides by the number of processes, has to be told of accumulation, of unused
parameters and of every other use of the network, and wraps it under another name. What it has and this does not is an
exchange of the first gradients while the last are computed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from assay.contracts import Batch, Carried, Stateful, Task, Term, TrainState
from assay.data.share import Part, Share, share_of
from assay.distillation import seams
from assay.layers.random import KeyedStreams
from assay.state import capture, restore


def divide(terms: Mapping[str, Term]) -> Tensor:
    """Σ total / weight: the loss of one batch."""
    losses = [term.total / term.weight for term in terms.values()]
    return losses[0] if len(losses) == 1 else torch.stack(losses).sum()


def _required(function: Callable[..., Any]) -> set[str]:
    """The arguments that a function cannot do without."""
    parameters = inspect.signature(function).parameters.values()
    return {one.name for one in parameters if one.default is inspect.Parameter.empty}


def carries(module: nn.Module, prefix: str) -> dict[str, Carried]:
    """What a module and those within it carry from batch to batch, by where it is: ``carry``, ``members.0.carry``."""
    return {
        ".".join([*filter(None, [prefix, name]), "carry"]): carry
        for name, inner in module.named_modules()
        if isinstance(carry := getattr(inner, "carry", None), Carried)
    }


class Together(Protocol):
    """The processes that share a step (see :mod:`assay.engines.ranks`).

    part: which rows of a whole batch are this one's.
    sums: the same numbers in every process: each summed over all of them, float64.
    sum_gradients: the same for ``p.grad``, in place; a parameter that no process used keeps None. ``values`` may travel
        along, and come back summed.
    one_message: whether that is the quicker way.
    """

    part: Part
    one_message: bool

    def sums(self, values: Sequence[Tensor | float]) -> Tensor: ...
    def sum_gradients(self, parameters: Sequence[Tensor], values: Sequence[Tensor | float] = ()) -> Tensor: ...


class Step:
    """One step of one network.

    Args:
        task: its ``terms`` are what is minimised; it holds the objective.
        network: the task's network, on its device.
        optimizer: over the parameters of network and objective. One whose ``step`` cannot do without a closure
            (L-BFGS) gets one that computes loss and gradients of this batch anew.
        streams: where dropout draws.
        augment: batch -> batch, before the network sees it.
        clip: of the gradients, in place.
        constraint: of the weights, in place, after each step.
        masks: hold weights at zero, after each step and before the average.
        average: EMA, updated after each step.
        schedule: of the optimiser's rates.
        ranks: the processes that share it; None for one alone.
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
        constraint: Callable[[], Any] | None = None,
        masks: Any = None,
        average: Any = None,
        schedule: Any = None,
        ranks: Together | None = None,
    ) -> None:
        self.task = task
        self.network = network
        self.optimizer = optimizer
        self.streams = streams
        self.augment = augment
        self.clip = clip
        self.constraint = constraint
        self.masks = masks
        self.average = average
        self.schedule = schedule
        self.ranks = ranks
        self.share: Share | None = None  # where the rows of the last batch lie
        self.followers = seams.followers(task.objective)
        self.carries = {**carries(network, ""), **carries(task.objective, "taught")}  # not among its weights
        self.searches = "closure" in _required(type(optimizer).step)
        self.parameters = [p for group in optimizer.param_groups for p in group["params"]]

    @property
    def parts(self) -> dict[str, Stateful | None]:
        return {"masks": self.masks, "ema": self.average, "schedule": self.schedule, **self.carries}

    @property
    def settled(self) -> int:
        """The step from which on the network is of the kind that was asked for: no more of its weights go."""
        return 0 if self.masks is None else self.masks.settled

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
            move: how to step the optimiser (a loop that counts steps passes its own); it hands on a closure.
        """
        move = self.optimizer.step if move is None else move
        if self.searches:
            loss = self._search(partial(self._gradients, micro_batches, epoch, number, backward), move)
        else:
            loss = self._gradients(micro_batches, epoch, number, backward)
            move()
        if self.constraint is not None:
            self.constraint()
        if self.masks is not None:
            self.masks(number + 1, self.average)
        if self.average is not None:
            self.average.update()
        if self.schedule is not None:
            self.schedule.stepped()
        for stepped in self.followers:
            stepped(self.network)
        for carry in self.carries.values():
            carry.advance()
        return loss

    def epoch_ended(self) -> None:
        """The schedule's turn, once the epoch's last weights are validated."""
        if self.schedule is not None:
            self.schedule.epoch_ended()

    def visited(self) -> None:
        """The epoch's last step is taken, its weights are not validated yet: nothing to do here."""

    def _gradients(
        self, micro_batches: Sequence[Batch], epoch: int, number: int, backward: Callable[..., Any]
    ) -> Tensor:
        """Of the loss at the weights as they are, clipped, and the loss."""
        self.optimizer.zero_grad()
        for carry in self.carries.values():
            carry.begin()
        if len(micro_batches) == 1 and self.ranks is None:
            loss = divide(self._terms(micro_batches[0], epoch, number))
            backward(loss)
            loss = loss.detach()
        elif len(micro_batches) == 1:
            loss = self._together(self._terms(micro_batches[0], epoch, number), backward)
        else:
            loss = self._accumulate(micro_batches, epoch, number, backward)
        if self.clip is not None:
            self.clip(self.parameters)
        return loss

    @staticmethod
    def _search(gradients: Callable[[], Tensor], move: Callable[..., Any]) -> Tensor:
        """Lets the optimiser ask for gradients at points of its own, all of one function: the streams are keyed by the
        step. Returns the loss at the first of them, where every other optimiser's is."""
        losses: list[Tensor] = []

        def closure() -> Tensor:
            loss = gradients()
            if not losses:
                losses.append(loss)
            return loss

        move(closure)
        return losses[0]

    def _terms(self, batch: Batch, epoch: int, number: int, micro: int = 0) -> dict[str, Term]:
        if self.augment is not None:
            batch = self.augment(batch, epoch)
        if self.ranks is None:
            return self.task.terms(self.network, batch, self.streams.at(number, micro))
        share = share_of(batch)
        if share is None:  # it was mixed within itself, as a whole
            batch = self.ranks.part.cut(batch)
            share = share_of(batch)
        assert share is not None
        self.share = share
        own = len(batch["index"])
        streams = self.streams.at(number, micro, lambda like: share.whole(like, own))
        terms = self.task.terms(self.network, batch, streams)
        if not share.absent:
            return terms
        return {name: Term(term.total * 0, term.weight * 0) for name, term in terms.items()}

    def _together(self, terms: Mapping[str, Term], backward: Callable[..., Any]) -> Tensor:
        """The gradient of Σ_terms (Σ_ranks total) / (Σ_ranks weight), and that loss."""
        assert self.ranks is not None
        if len(terms) == 1 and self.ranks.one_message:
            (term,) = terms.values()
            backward(term.total)
            total, weight = self.ranks.sum_gradients(self.parameters, [term.total, term.weight]).unbind()
            self._divide_gradients(weight)
            return total / weight
        totals, weights = self._over_ranks(terms)
        own = divide({name: Term(term.total, weights[name]) for name, term in terms.items()})
        backward(own.to(next(iter(terms.values())).total.dtype))
        self.ranks.sum_gradients(self.parameters)
        return divide({name: Term(totals[name], weights[name]) for name in terms})

    def _divide_gradients(self, weight: Tensor | float) -> None:
        for p in self.parameters:
            if p.grad is not None:
                p.grad.div_(weight)

    def _over_ranks(self, terms: Mapping[str, Term]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Totals and weights, detached, summed over all processes, as float64: half precision cannot count examples."""
        assert self.ranks is not None
        values = [*(term.total for term in terms.values()), *(term.weight for term in terms.values())]
        summed = self.ranks.sums(values).unbind()
        count = len(terms)
        return dict(zip(terms, summed[:count], strict=True)), dict(zip(terms, summed[count:], strict=True))

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
        if self.ranks is not None:
            totals, summed = self._over_ranks({name: Term(totals[name], weights[name]) for name in totals})
            weights = {**summed}
        if sums:
            for i, p in enumerate(self.parameters):
                parts = [grads[i] / weights[name] for name, grads in sums.items() if grads[i] is not None]
                p.grad = torch.stack(parts).sum(0) if parts else None
        else:
            (weight,) = weights.values()
            self._divide_gradients(weight)
        if self.ranks is not None:
            self.ranks.sum_gradients(self.parameters)
        return torch.stack([torch.as_tensor(totals[name] / weights[name]) for name in totals]).sum()

"""Stochastic weight averaging: the even mean of the weights that the last part of a run passes through."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from assay.contracts import Batch, Scope


class StochasticWeightAverage:
    """w̄ ← (n w̄ + w) / (n + 1), a member w every so many steps; batch-norm statistics are then those of w̄.

    Izmailov, Podoprikhin, Garipov, Vetrov and Wilson, "Averaging Weights Leads to Wider Optima and Better
    Generalization", 2018, arXiv:1803.05407, algorithm 1 and section 3.2. The first member is the weights where
    averaging begins, as there; before that the network is used as it is. The paper averages a rate that stays up:
    scheduler=none, or scheduler=cyclical with a member at the foot of each triangle. A schedule that falls to nothing
    (onecycle, cosine) averages points that hardly move, which changes little.

    Batch-norm layers are run over the first ``examples`` of the first epoch's order, unaugmented, each batch counting
    alike, as ``torch.optim.swa_utils.update_bn`` does over its loader. Differs from the paper: not over all of a large
    training split; and without dropout, so that the statistics are of what is evaluated. They are worked out once for
    each mean, in the weights' own precision. Layers marked ``frozen`` keep theirs.

    Args:
        network: on the device where it will train.
        start: share of the run after which members are taken.
        every: steps from one member to the next; ``epoch`` takes them at the ends of epochs.
        examples: that batch-norm statistics are worked out on, to the end of a batch.
        total_steps: of the whole run.
        epoch_steps: of an epoch.
        batches: begins anew the training batches, in a fixed order and unaugmented.
    """

    scope = Scope.STEP

    def __init__(
        self,
        network: nn.Module,
        start: float,
        every: int | str,
        examples: int,
        total_steps: int,
        epoch_steps: int,
        batches: Callable[[], Iterable[Batch]],
    ) -> None:
        self.period = epoch_steps if every == "epoch" else 1
        self.stride = 1 if every == "epoch" else int(every)
        self.examples = examples
        self.batches = batches
        self.network = network
        self.steps = 0
        self.members = 0
        self._next = max(1, int(start * total_steps))  # the step after which the next member may be taken
        named = dict(network.named_parameters())
        self._names = list(named)
        self._weights: list[Tensor] = list(named.values())
        self._average = [weight.detach().clone() for weight in self._weights]
        self._normalizers = [
            module
            for module in network.modules()
            if isinstance(module, _BatchNorm) and module.track_running_stats and not getattr(module, "frozen", False)
        ]
        self._statistics: list[dict[str, Tensor]] | None = None  # of the mean as it is

    @torch.no_grad()
    def update(self) -> None:
        """After each optimiser step."""
        self.steps += 1
        if self.steps < self._next or self.steps % self.period:
            return
        self.members += 1
        self._next = self.steps + self.stride
        self._statistics = None
        if self.members == 1:
            for mean, weight in zip(self._average, self._weights, strict=True):
                mean.copy_(weight)
        else:
            torch._foreach_lerp_(self._average, self._weights, 1 / self.members)

    @contextmanager
    def applied(self) -> Generator[None]:
        """The network with its averaged weights and their statistics; its own come back bit for bit, whatever happens
        inside. Before the first member nothing is changed."""
        if not self.members:
            yield
            return
        own = [weight.detach().clone() for weight in self._weights]
        buffers = [_buffers(module) for module in self._normalizers]
        try:
            self._copy(self._average)
            self._settle()
            yield
        finally:
            self._copy(own)
            _put_back(self._normalizers, buffers)

    @torch.no_grad()
    def _copy(self, values: list[Tensor]) -> None:
        for weight, value in zip(self._weights, values, strict=True):  # not _foreach_copy_, which knows no shards
            weight.copy_(value)

    @torch.no_grad()
    def _settle(self) -> None:
        """Puts the mean's batch-norm statistics into the network, worked out where that was not done yet."""
        if not self._normalizers:
            return
        if self._statistics is None:
            self._measure()
            self._statistics = [_buffers(module) for module in self._normalizers]
        _put_back(self._normalizers, self._statistics)

    def _measure(self) -> None:
        training = {module: module.training for module in self.network.modules()}
        momenta = [module.momentum for module in self._normalizers]
        try:
            self.network.eval()  # dropout off
            for module in self._normalizers:
                module.reset_running_stats()
                module.momentum = None  # a mean over batches
                module.train()
            seen, weight = 0, self._weights[0]
            for batch in self.batches():
                self.network({key: value.to(weight.device, _precision(value, weight)) for key, value in batch.items()})
                seen += len(batch["index"])
                if seen >= self.examples:
                    break
        finally:
            for module, momentum in zip(self._normalizers, momenta, strict=True):
                module.momentum = momentum
            for module, was in training.items():
                module.training = was

    def state(self) -> dict[str, Tensor]:
        average = {f"average.{name}": value for name, value in zip(self._names, self._average, strict=True)}
        counts = {"steps": self.steps, "members": self.members, "next": self._next}
        return {**{name: torch.tensor(count) for name, count in counts.items()}, **average}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """A run that is made longer begins to average later, unless it has begun."""
        self.steps, self.members = int(state["steps"]), int(state["members"])
        if self.members:
            self._next = int(state["next"])
        self._statistics = None
        for name, value in zip(self._names, self._average, strict=True):
            value.copy_(state[f"average.{name}"])


def _precision(value: Tensor, weight: Tensor) -> torch.dtype:
    return weight.dtype if value.is_floating_point() else value.dtype


def _buffers(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.named_buffers(recurse=False)}


@torch.no_grad()
def _put_back(modules: list[_BatchNorm], values: list[dict[str, Tensor]]) -> None:
    for module, kept in zip(modules, values, strict=True):
        for name, buffer in module.named_buffers(recurse=False):
            buffer.copy_(kept[name])

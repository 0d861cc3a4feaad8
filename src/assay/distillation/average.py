"""The student as its own teacher."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from assay.contracts import Batch, DataSpec, Output
from assay.layers.features import observed, shapes


class Average(nn.Module):
    """a_t = d_t a_{t-1} + (1 - d_t) w_t, d_t = min(decay, (1 + t) / (10 + t)), of a network's weights, t its steps so
    far; buffers (batch-norm statistics) are the network's own. Nothing of it is trained.

    Args:
        network: of which the average begins as a copy.
        decay: d.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.updates = 0
        self.network = copy.deepcopy(network).requires_grad_(False)

    @torch.no_grad()
    def stepped(self, network: nn.Module) -> None:
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        torch._foreach_lerp_(list(self.network.parameters()), list(network.parameters()), 1 - decay)
        for own, other in zip(self.network.buffers(), network.buffers(), strict=True):
            own.copy_(other)

    def get_extra_state(self) -> Tensor:
        return torch.tensor(self.updates)  # in the checkpoint, and never on a device that would have to be waited for

    def set_extra_state(self, state: Tensor) -> None:
        self.updates = int(state)


class Self:
    """The running average of the student's weights, which teaches from the first step on.

    Tarvainen and Valpola, "Mean teachers are better role models", 2017, arXiv:1703.01780, section 2, with its decay of
    0.999; the decay of the first steps is that of ema=exponential. Differs from them: what is learnt of it is up to the
    objective (their squared distance of probabilities is not among ours), with a weight that stays, since at first the
    average is the student itself; teacher and student see the same augmented example, and the teacher has no dropout.
    The other self-teaching, by the student of the epoch before (Kim, Ji, Yoon and Hwang, "Self-Knowledge Distillation
    with Progressive Refinement of Targets", 2021, arXiv:2006.12000), is this with a coarser memory and a rising weight.

    It is part of the objective's state, as a checkpoint needs it, and of no artifact.

    Args:
        decay: d, per step.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.average: Average

    def fit(self, spec: DataSpec, preprocessing: Any) -> None:
        """It is trained on the student's data."""

    def begin(self, network: nn.Module) -> nn.Module:
        self.average = Average(network, self.decay)
        return self.average

    def __call__(self, batch: Batch) -> Output:
        return self.hidden(batch, ())

    @torch.no_grad()
    def hidden(self, batch: Batch, names: Sequence[str]) -> Output:
        network = self.average.network
        if network.training:  # whoever puts the whole objective into training mode
            network.eval()
        return observed(network, batch, names)

    def shapes(self, batch: Batch) -> dict[str, tuple[int, ...]]:
        return shapes(self.average.network, batch)

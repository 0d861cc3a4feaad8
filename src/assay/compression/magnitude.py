"""Magnitude pruning: single weights that are small are held at zero, more of them as training goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from assay.compression.ranking import leaves
from assay.contracts import Scope
from assay.errors import ConfigError


def sparsity(step: int, first: int, last: int, initial: float, final: float) -> float:
    """s_t = s_f + (s_i - s_f)(1 - (t - t_0)/(nΔt))³ from t_0 to t_0 + nΔt, s_f after it.

    Zhu and Gupta, "To prune, or not to prune", 2017, arXiv:1710.01878, eq. 1.

    Args:
        step: t.
        first, last: t_0 and t_0 + nΔt.
        initial, final: s_i and s_f.
    """
    if step >= last:
        return final
    return final + (initial - final) * (1 - (step - first) / (last - first)) ** 3


class Magnitude:
    """w ← w∘m after each step, m = 0 for the share s_t of the smallest |w|.

    Zhu and Gupta 2017, arXiv:1710.01878, section 3: masks are taken anew every few steps while s_t rises, then stay.
    A weight whose mask is 0 keeps it: it is zero, and so among the smallest. Differs from the paper: a masked weight's
    gradient is computed and undone with the step, so that any optimiser will do; ``scope=global`` ranks all weights
    together, as Han et al. 2015 and later work do, where the paper gives every layer the same share. Biases and
    normalisations (one dimension) are free, and so are frozen weights. An average of the weights (ema) is masked with
    them. Masks are part of the checkpoint.

    Args:
        network: on the device where it will train.
        sparsity: s_f, the share of the weights that end as zero.
        initial: s_i.
        begin, end: shares of the run between which s_t rises (preflight asks that they do).
        every: steps between two masks, Δt.
        scope: ``layer`` or ``global``.
        total_steps: of the run.
    Raises:
        ConfigError: no weight trains.
    """

    scope = Scope.STEP

    def __init__(
        self,
        network: nn.Module,
        sparsity: float,
        initial: float,
        begin: float,
        end: float,
        every: int,
        scope: str,
        total_steps: int,
    ) -> None:
        self.initial, self.final, self.every = initial, sparsity, every
        self.first = int(begin * total_steps)
        self.settled = max(int(end * total_steps), self.first, 1)
        self.together = scope == "global"
        self.weights = {name: p for name, p in network.named_parameters() if p.dim() > 1 and p.requires_grad}
        if not self.weights:
            raise ConfigError("compression=magnitude masks weights that train, and freeze leaves none: free a part")
        self.held = {name: torch.zeros_like(p, dtype=torch.bool) for name, p in self.weights.items()}

    @torch.no_grad()
    def __call__(self, taken: int, average: Any = None) -> None:
        """After the ``taken``-th step, counted from 1, and before its ``average`` follows."""
        due = taken == max(self.first, 1) or (taken - self.first) % self.every == 0 or taken == self.settled
        if self.first <= taken <= self.settled and due:
            self._mask(sparsity(taken, self.first, self.settled, self.initial, self.final))
            if average is not None:
                followed = average.state()  # the tensors themselves
                for name, held in self.held.items():
                    followed[f"average.{name}"].masked_fill_(held, 0)
        for name, weight in self.weights.items():
            weight.masked_fill_(self.held[name], 0)

    def _mask(self, share: float) -> None:
        ranked = [weight.abs().masked_fill(self.held[name], -1).flatten() for name, weight in self.weights.items()]
        sizes = [len(values) for values in ranked]
        if self.together:
            small = _smallest(torch.cat(ranked), share).split(sizes)
        else:
            small = [_smallest(values, share) for values in ranked]
        for held, own in zip(self.held.values(), small, strict=True):
            held |= own.view_as(held)

    def zeros(self) -> tuple[int, int]:
        """Weights held at zero, and all that could be."""
        return sum(int(held.sum()) for held in self.held.values()), sum(held.numel() for held in self.held.values())

    def state(self) -> dict[str, Tensor]:
        return {f"held.{name}": held for name, held in self.held.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        for name, held in self.held.items():
            held.copy_(state[f"held.{name}"])


def _smallest(values: Tensor, share: float) -> Tensor:
    """Where a share of the values stand, the smallest; of equal ones the earlier."""
    small = torch.zeros_like(values, dtype=torch.bool)
    small[values.argsort(stable=True)[: leaves(len(values), share)]] = True
    return small

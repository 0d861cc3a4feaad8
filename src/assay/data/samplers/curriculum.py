"""Competence-based curriculum: easy examples first, then harder ones, then all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from assay.data.samplers import Sampler
from assay.errors import ConfigError
from assay.layers.random import example_uniform


@dataclass(frozen=True)
class Pacing:
    """Competence c(t): which share of the examples, the easiest, may be drawn at share t of the run.

    With s = t / until: root √(s (1 - start²) + start²), linear s (1 - start) + start (Platanios et al. 2019, eq. 7 with
    p = 2 and 1), geometric start^(1 - s) (Penha and Hauff, "Curriculum Learning Strategies for IR", 2020,
    arXiv:1912.08555, table 2); 1 from ``until`` on.

    Args:
        kind: which of the three.
        start: c(0).
        until: share of the run after which all examples are drawn.
    Raises:
        ConfigError: start or until is outside (0, 1].
    """

    kind: Literal["root", "linear", "geometric"] = "root"
    start: float = 0.01
    until: float = 0.5

    def __post_init__(self) -> None:
        for name, value in (("start", self.start), ("until", self.until)):
            if not 0 < value <= 1:
                raise ConfigError(f"curriculum.{name}={value:g} is not a share in (0, 1]")

    def competence(self, t: Tensor) -> Tensor:
        """(…) float64 -> (…)."""
        s = (t / self.until).clamp(max=1)
        if self.kind == "root":
            return (s * (1 - self.start**2) + self.start**2).sqrt()
        if self.kind == "linear":
            return s * (1 - self.start) + self.start
        return torch.exp((1 - s) * math.log(self.start))


class Curriculum:
    """Visit j of epoch e draws uniformly among the easiest share c(t) of what the epoch holds.

    Platanios, Stretcu, Neubig, Póczos and Mitchell, "Competence-based Curriculum Learning for Neural Machine
    Translation", 2019, arXiv:1903.09848, algorithm 1. Differs: t goes on with each visit, not with each batch, so that
    it does not depend on the batch size; t is a share of the run, not a number of steps; examples that are equally hard
    are ordered by a keyed draw, where their distribution function takes all of them at once and may leave none for a
    small c; from ``until`` on an epoch is the sampler's own, each example as often as it says.

    Args:
        sampler: what an epoch holds: the curriculum draws from its visits, easiest first.
        difficulty: of the split's examples (N,), the larger the harder.
        pacing: see :class:`Pacing`.
        epochs: of the whole run.
        seed: of the run.
    """

    def __init__(self, sampler: Sampler, difficulty: Tensor, pacing: Pacing, epochs: float, seed: int) -> None:
        self.sampler, self.pacing, self.epochs, self.seed = sampler, pacing, epochs, seed
        tied = example_uniform(seed, 0, torch.arange(len(difficulty)), "curriculum ties").argsort(stable=True)
        easiest = tied[difficulty[tied].argsort(stable=True)]
        self._rank = torch.empty(len(difficulty), dtype=torch.int64)
        self._rank[easiest] = torch.arange(len(difficulty))

    def __len__(self) -> int:
        return len(self.sampler)

    def positions(self, epoch: int) -> Tensor:
        visits = self.sampler.positions(epoch)  # (n,)
        count = len(visits)
        t = (epoch + torch.arange(count, dtype=torch.float64) / count) / self.epochs
        if epoch >= self.pacing.until * self.epochs:
            return visits
        pool = visits[self._rank[visits].argsort(stable=True)]
        easy = (self.pacing.competence(t) * count).floor().clamp(1, count)  # (n,): how many of the pool may be drawn
        u = example_uniform(self.seed, epoch, torch.arange(count), "curriculum")
        return torch.where(t < self.pacing.until, pool[(u * easy).long()], visits)

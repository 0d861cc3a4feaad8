"""The range test: a few training steps at rates that grow, to see where the loss falls and where it leaves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from assay.engines.step import Step
from assay.errors import ConfigError

START, END, STEPS = 1e-7, 10.0, 100
SMOOTHING = 0.98
DIVERGED = 4.0  # times the least loss
CLEAR = 2.0  # standard errors
_STILL = STEPS // 4  # losses at rates too small to move anything, up to 1e-5
_FIRST, _LAST = STEPS // 10, 5  # left out of the choice: the average has hardly begun, and the loss is leaving


@dataclass(frozen=True)
class Range:
    """What a range test saw, one entry a step.

    rates: of optim.lr.
    losses: of the batch at that rate.
    smooth: their debiased average.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smooth: tuple[float, ...]

    @property
    def lowest(self) -> float:
        """A tenth of the rate at which the loss was least: the one that is used."""
        return self.rates[self._best()] / 10

    @property
    def steepest(self) -> float:
        """The rate at which the loss fell fastest, over the logarithm of the rate."""
        inner = self._inner()
        slopes = [
            (self.smooth[i + 1] - self.smooth[i]) / math.log(self.rates[i + 1] / self.rates[i]) for i in inner[:-1]
        ]
        return self.rates[inner[min(range(len(slopes)), key=slopes.__getitem__)]]

    def _inner(self) -> range:
        return range(_FIRST, len(self.rates) - _LAST)

    def _best(self) -> int:
        inner = self._inner()
        found = min(inner, key=self.smooth.__getitem__) if len(inner) > 1 else _FIRST
        if len(inner) < 2 or found == _FIRST:
            raise ConfigError(
                f"lr_finder=true saw no rate from {START:g} on at which the loss falls: set optim.lr, and leave it out"
            )
        if self._chance(found):
            raise ConfigError(
                "lr_finder=true saw no rate at which the loss falls by more than it varies from batch to batch: set "
                "optim.lr, and leave it out, or use a larger data.batch_size"
            )
        return found

    def _chance(self, found: int) -> bool:
        """Whether the least average lies within :data:`CLEAR` standard errors of the mean of the first losses. An
        average with weights w has the variance of a loss times Σ w²."""
        first = self.losses[:_STILL]
        weights = [SMOOTHING**age for age in range(found + 1)]
        share = sum(weight**2 for weight in weights) / sum(weights) ** 2
        return mean(first) - self.smooth[found] < CLEAR * stdev(first) * math.sqrt(1 / len(first) + share)

    def chosen(self) -> float:
        """:attr:`lowest`, with as many digits as it deserves.

        Raises:
            ConfigError: the loss fell at no rate.
        """
        return float(f"{self.lowest:.2g}")

    def line(self) -> str:
        """For the first screen."""
        return (
            f"optim.lr={self.chosen():g} by the range test, a tenth of the rate of the least loss; it fell fastest at "
            f"{self.steepest:.2g}: figures/lr_finder.png"
        )


def rates(start: float = START, end: float = END, steps: int = STEPS) -> list[float]:
    """Evenly spaced over the logarithm, both ends included."""
    return [start * (end / start) ** (i / (steps - 1)) for i in range(steps)]


def smoothed(losses: Sequence[float], decay: float = SMOOTHING) -> list[float]:
    """a_i = decay a_{i-1} + (1 - decay) l_i, divided by 1 - decay^i: Adam's correction for a start at zero."""
    average, found = 0.0, []
    for i, loss in enumerate(losses, 1):
        average = decay * average + (1 - decay) * loss
        found.append(average / (1 - decay**i))
    return found


def range_test(step: Step, batches: Callable[[int], Iterator[Any]]) -> Range:
    """Takes up to ``STEPS`` steps at growing rates, until the smoothed loss is four times its least or not finite.

    Smith, "Cyclical Learning Rates for Training Neural Networks", 2017, arXiv:1506.01186, 3.3, in the form of Gugger's
    and fastai's ``lr_find``: rates grow exponentially from 1e-7 to 10, the loss is smoothed, and a tenth of the rate of
    its minimum is used, where Smith reads a range off the plot of accuracy. Differs from fastai: the steps are those of
    the run, clipping and augmentation included, and a minimum that batches alone explain is refused.

    Args:
        step: of a copy of the network, freshly made: it is used up.
        batches: epoch -> its steps, lists of micro-batches on the network's device.
    """
    groups = step.optimizer.param_groups
    shares = [group["lr"] / step.optimizer.defaults["lr"] for group in groups]
    seen: list[float] = []
    planned = rates()
    best = math.inf
    epoch = 0
    while len(seen) < STEPS:
        before = len(seen)
        for micro_batches in batches(epoch):
            for group, share in zip(groups, shares, strict=True):
                group["lr"] = planned[len(seen)] * share
            loss = float(step(micro_batches, epoch, len(seen)))
            if not math.isfinite(loss):
                return _range(planned, seen)
            seen.append(loss)
            now = smoothed(seen)[-1]
            best = min(best, now)
            if len(seen) == STEPS or (len(seen) > 1 and now > DIVERGED * best):
                return _range(planned, seen)
        if len(seen) == before:
            break
        epoch += 1
    return _range(planned, seen)


def _range(planned: Sequence[float], losses: Sequence[float]) -> Range:
    return Range(tuple(planned[: len(losses)]), tuple(losses), tuple(smoothed(losses)))

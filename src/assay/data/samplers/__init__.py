"""Samplers: which examples an epoch visits, in which order."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Sampler(Protocol):
    """A function of (seed, epoch) alone, so that an epoch can be begun again at any step.

    ``len`` is the number of examples that an epoch visits, the same in every epoch: the length of the run follows from
    it. ``positions(epoch)`` (len,) int64 are their places in the split, in the order of the visits; an example may come
    several times or not at all.
    """

    def __len__(self) -> int: ...
    def positions(self, epoch: int) -> Tensor: ...

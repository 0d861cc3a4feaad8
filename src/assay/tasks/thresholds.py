"""From which probability a label is answered, where an example may have several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Validation = Callable[[], tuple[Tensor, Tensor]]
"""-> probabilities (N, L) and labels (N, L) of the validation split, by the weights that are tested."""


class Half:
    """One half for every label: what the likelihood that is trained means."""

    def __call__(self, size: int) -> Tensor:
        """(L,) float64: a label is answered where its probability is greater."""
        return torch.full((size,), 0.5, dtype=torch.float64)

    def settle(self, validation: Validation) -> dict[str, Any]:
        """What an artifact keeps instead of this option; nothing, if it stays as it is."""
        return {}


class BestF1:
    """For each label the threshold with the best F1 on the validation split, chosen once training is over, by the
    weights that are then tested.

    SCut of Yang 2001, "A Study on Thresholding Strategies for Text Categorization", with F1 as its measure. Lipton,
    Elkan and Naryanaswamy 2014, arXiv:1402.1892, show that thresholds on probabilities are what maximises F1, macro F1
    label by label. Until they are chosen, validation scores, and with them ``monitor``, are those at one half, so that
    no split chooses twice. On a label with few positive examples the choice is noisy, and may cost more than it gains
    (Yang's warning, too); ``fbr`` is the remedy of Lewis, Yang, Rose and Li 2004, "RCV1: A New Benchmark Collection for
    Text Categorization Research", SCutFBR.1. (On enron, whose labels are mostly rare, ``fbr=0`` takes micro F1 on the
    *training* split from 0.78 at one half to 0.41; 0.3 leaves it at 0.78.)

    Args:
        fbr: a label whose best F1 on validation is lower is answered only above all its probabilities there.
    """

    def __init__(self, fbr: float = 0.3) -> None:
        self.fbr = fbr
        self.fixed: Fixed | None = None

    def __call__(self, size: int) -> Tensor:
        return (self.fixed or Half())(size)

    def settle(self, validation: Validation) -> dict[str, Any]:
        self.fixed = Fixed(best_f1(*validation(), self.fbr).tolist())
        return {"_target_": f"{Fixed.__module__}.{Fixed.__name__}", "values": self.fixed.values}


class Fixed:
    """Thresholds that were chosen; an artifact has them.

    Args:
        values: one per label, in the order of the labels.
    """

    def __init__(self, values: Sequence[float]) -> None:
        self.values = list(values)

    def __call__(self, size: int) -> Tensor:
        assert len(self.values) == size, "thresholds of other labels"
        return torch.tensor(self.values, dtype=torch.float64)

    def settle(self, validation: Validation) -> dict[str, Any]:
        return {}


def best_f1(probabilities: Tensor, label: Tensor, fbr: float = 0.0) -> Tensor:
    """The threshold of each label with the greatest F1 = 2·TP / (answered + present).

    Only places between two different probabilities need to be tried, and below the least; their middle is taken. Of
    equal ones, that nearest to one half. A label that is never present has no F1, and stays at one half; one whose best
    F1 is under ``fbr`` gets its greatest probability, over which it has none here.

    Shape:
        probabilities (N, L) float, label (N, L) in {0, 1} -> (L,) float64
    """
    p, order = probabilities.double().cpu().sort(dim=0, descending=True)  # (N, L)
    hits = label.double().cpu().gather(0, order).cumsum(0)
    answered = torch.arange(1, len(p) + 1, dtype=torch.float64)[:, None]
    below = torch.cat([p[1:], torch.zeros_like(p[:1])])
    f1 = 2 * hits / (answered + hits[-1:])
    f1[p == below] = -1  # two of one probability cannot be told apart
    between = (p + below) / 2
    reached = f1.max(0).values  # (L,)
    nearness = torch.where(f1 == reached, 1 - (between - 0.5).abs(), -1.0)
    best = between.gather(0, nearness.argmax(0, keepdim=True))[0]
    best = torch.where(reached < fbr, p[0], best)
    return torch.where(hits[-1] > 0, best, 0.5)

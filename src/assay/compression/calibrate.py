"""Calibration: the range of what each layer reads, from examples of the training split."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from assay.compression.grids import range_grid
from assay.compression.quantized import Grid
from assay.compression.rounding import readers
from assay.contracts import Batch

BINS = 2048
_SHARES = [1 - 0.01 * step for step in range(91)]  # of the range that is kept: 1 … 0.1


class Seen:
    """What one layer has read: its least and greatest value, then how often each of 2048 bins between them."""

    def __init__(self) -> None:
        self.low, self.high = torch.tensor(torch.inf), torch.tensor(-torch.inf)
        self.counts = torch.zeros(BINS, dtype=torch.int64)

    def widen(self, x: Tensor) -> None:
        low, high = (value.float().cpu() for value in torch.aminmax(x))
        self.low, self.high = torch.minimum(self.low, low), torch.maximum(self.high, high)

    def count(self, x: Tensor) -> None:
        """On the CPU: counting on a GPU has no deterministic kernel."""
        width = ((self.high - self.low) / BINS).clamp(min=1e-30)
        bins = ((x.float().cpu().flatten() - self.low) / width).long().clamp(0, BINS - 1)
        self.counts += torch.bincount(bins, minlength=BINS)

    @property
    def centers(self) -> Tensor:
        """(2048,) float64."""
        low, high = self.low.double(), self.high.double()
        return low + (torch.arange(BINS) + 0.5) * (high - low) / BINS

    def grid(self, fit: str, percentile: float) -> Grid:
        """The grid of the range that ``fit`` keeps.

        minmax: all of it. percentile: without the (100 - percentile) % at either end. mse: that share of it, of 91 from
        all to a tenth, whose grid has the least squared error over the bins.
        """
        if fit == "minmax":
            return range_grid(self.low, self.high)
        if fit == "percentile":
            share = self.counts.double().cumsum(0) / self.counts.sum()
            first = int(torch.searchsorted(share, 1 - percentile / 100))
            last = int(torch.searchsorted(share, percentile / 100))
            edges = self.low.double() + torch.tensor([first, min(last, BINS - 1) + 1]) * (self.high - self.low) / BINS
            return range_grid(*edges.float())
        counts, centers = self.counts.double(), self.centers
        tried = [range_grid(self.low * share, self.high * share) for share in _SHARES]
        errors = [float((counts * (grid.round(centers) - centers).square()).sum()) for grid in tried]
        return tried[errors.index(min(errors))]


@torch.no_grad()
def calibrate(
    network: nn.Module, batches: Callable[[], Iterable[Batch]], fit: str, percentile: float
) -> dict[str, Grid]:
    """A grid for what each convolution and linear layer reads; a layer that read nothing has none.

    Args:
        network: in eval mode, with the weights it will have.
        batches: begins the same batches anew, on the network's device.
        fit, percentile: see :meth:`Seen.grid`.
    """
    seen = {name: Seen() for name in readers(network)}
    _run(network, batches, {name: one.widen for name, one in seen.items()})
    read = {name: one for name, one in seen.items() if bool(one.low <= one.high)}
    if fit != "minmax":
        _run(network, batches, {name: one.count for name, one in read.items()})
    return {name: one.grid(fit, percentile) for name, one in read.items()}


def _run(network: nn.Module, batches: Callable[[], Iterable[Batch]], look: dict[str, Callable[[Tensor], None]]) -> None:
    def hook(show: Callable[[Tensor], None], _: nn.Module, arguments: tuple[Any, ...]) -> None:
        show(arguments[0])

    with ExitStack() as hooks:
        for name, show in look.items():
            handle = network.get_submodule(name).register_forward_pre_hook(partial(hook, show))
            hooks.callback(handle.remove)
        for batch in batches():
            network(batch)

"""Fake quantisation: training in float32, computing with the numbers of a grid (Jacob et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from assay.compression.grids import quantizable, range_grid
from assay.compression.quantized import Grid
from assay.compression.rounding import NAME, READERS, _put, readers
from assay.layers.random import current_step

Fit = Callable[[Tensor, int], Grid]
"""(weight, axis of its channels) -> its grid."""


def straight_through(x: Tensor, rounded: Tensor) -> Tensor:
    """``rounded``, exactly, with the gradient of x (Bengio et al. 2013, arXiv:1308.3432, section 4). Unlike torch's
    ``fake_quantize`` a channel's largest weight, which its grid cuts off by half a step, keeps its gradient."""
    return rounded.detach() + (x - x.detach())


class Clock:
    """Which part of training it is. The step is that of the streams, so that it needs no state: a run that is resumed
    takes a step before it evaluates.

    Args:
        begin: the step from which on numbers are rounded.
        freeze: the step from which on ranges stand still.
    """

    def __init__(self, begin: int, freeze: float) -> None:
        self.begin, self.freeze = begin, freeze
        self.step = 0

    def read(self) -> None:
        step = current_step()
        if step is not None:
            self.step = step

    @property
    def rounds(self) -> bool:
        return self.step >= self.begin

    @property
    def widens(self) -> bool:
        """Whether ranges follow what is read: in a training step that is not yet among the last."""
        return current_step() is not None and self.step < self.freeze


class RunningInput(nn.Module):
    """Rounds to the uint8 grid of a running range of what is read.

    Gradients pass where x is within the range, and nowhere else, as in the paper.

    r_t = m·r_{t-1} + (1 - m)·(min x, max x), the first as it comes (Jacob et al. 2018, section 3.1). The range is a
    buffer, so that it is saved, averaged weights keep it, and the best weights have the range that they were scored
    with. Before the first batch nothing is rounded.

    Args:
        momentum: m, per forward pass.
        clock: shared by all layers of a network.
    Shape:
        x any float -> the same
    """

    range: Tensor

    def __init__(self, momentum: float, clock: Clock) -> None:
        super().__init__()
        self.momentum, self.clock = momentum, clock
        self.met = False
        self.register_buffer("range", torch.tensor([0.0, -1.0]))  # its ends; upside down: nothing was read yet

    @property
    def unknown(self) -> Tensor:
        return self.range[0] > self.range[1]

    @property
    def grid(self) -> Grid | None:
        """None where the layer has read nothing in training. A GPU is asked, so this is for the end."""
        return None if bool(self.unknown) else range_grid(*self.range)

    def forward(self, x: Tensor) -> Tensor:
        if self.training and self.clock.widens:
            with torch.no_grad():
                seen = torch.stack(torch.aminmax(x.detach())).float()
                moved = torch.lerp(seen, self.range, float(self.momentum))
                self.range.copy_(torch.where(self.unknown, seen, moved))
        if not self.met:
            self.met = not bool(self.unknown)  # asks a GPU once
        if not self.met or not self.clock.rounds:
            return x
        grid = range_grid(*self.range)
        y = torch.fake_quantize_per_tensor_affine(x.float(), grid.scale, grid.zero_point.int(), *grid.limits)
        return y.to(x.dtype)


class Fake:
    """Puts rounded weights in the place of a network's own for the time of each forward pass, and rounds its inputs.

    The exchange is of the network as a whole, so that it holds for whatever reads the weights within it, recurrent
    kernels included; the optimiser, averages, constraints and checkpoints see the float32 weights.

    Args:
        network: on any device; it gets hooks and, with ``momentum``, a submodule in each layer that reads.
        fit: the grid of a weight as it is.
        clock: when to round.
        momentum: of the ranges of inputs; None leaves inputs as they are.
    """

    def __init__(self, network: nn.Module, fit: Fit, clock: Clock, momentum: float | None) -> None:
        self.axes, self.fit, self.clock = quantizable(network), fit, clock
        self._own: list[tuple[nn.Module, str, Tensor]] = []
        self._handles = [
            network.register_forward_pre_hook(self._exchange),
            network.register_forward_hook(self._restore, always_call=True),
        ]
        if momentum is not None:
            for layer in readers(network).values():
                _put(layer, RunningInput(momentum, clock))

    def _exchange(self, network: nn.Module, _: Any) -> None:
        self.clock.read()
        if not self.clock.rounds:
            return
        made: dict[int, Tensor] = {}
        for name, axis in self.axes.items():
            path, _, key = name.rpartition(".")
            module = network.get_submodule(path)
            weight = module._parameters[key]
            assert weight is not None
            if id(weight) not in made:
                made[id(weight)] = straight_through(weight, self.fit(weight, axis).round(weight.detach()))
            self._own.append((module, key, weight))
        for module, key, weight in self._own:
            module._parameters[key] = made[id(weight)]  # ty: ignore[invalid-assignment]  (as torch.func does)

    def _restore(self, *_: Any) -> None:
        for module, key, weight in self._own:
            module._parameters[key] = weight  # ty: ignore[invalid-assignment]
        self._own = []

    def remove(self, network: nn.Module) -> dict[str, Grid]:
        """Takes everything out of the network again; the grids of what its layers read, by name."""
        for handle in self._handles:
            handle.remove()
        found = {}
        for name, layer in network.named_modules():
            if isinstance(layer, READERS) and isinstance(one := layer._modules.get(NAME), RunningInput) and one.grid:
                found[name] = one.grid
        return found

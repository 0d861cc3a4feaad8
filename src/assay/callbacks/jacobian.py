"""How far a recurrent net's state remembers: the singular values of its Jacobian, step by step and over time."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from assay import folder
from assay.callbacks import drawing
from assay.callbacks.diagnostic import Moment, Sight, undisturbed
from assay.callbacks.units import Read, recurrent
from assay.layers.recurrent import Carried, Steps

_QUARTILES = {"max": 1.0, "median": 0.5, "min": 0.0}


class Jacobian:
    """Singular values of J_t = ∂h_t/∂h_{t-1} and of the product ∂h_t/∂h_1 = J_t ⋯ J_2.

    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013, arXiv:1211.5063,
    section 2: gradients travel through that product, and vanish where its largest singular value does, or may explode
    where it grows. h is all that the layer carries: of an LSTM (h, c) together, 2H numbers. Each layer, and each
    direction in the order in which it reads, is taken by itself, its input held: paths through the layers above and
    below are not in it. J_t is exact, by automatic differentiation of the layer's readable step, in float64 whatever
    the run's precision (float32 on a device that knows no other), as are the product and the singular values.

    Logged before the first step, every ``every`` epochs and after the last, over all examples and positions, for each
    layer: ``jacobian/<layer>/max``, ``/median`` and ``/min`` of J_t, and ``/product``, the largest singular value of
    the product at an example's last position, as the geometric mean over examples. Cost: for an example and position
    one backward pass of as many rows as the state is wide, and at ``positions`` of them two singular value
    decompositions, of H³ operations each (8 H³ of an LSTM).

    Args:
        examples: of the validation split, drawn by the seed.
        positions: of which singular values are taken, at most, evenly over the sequence.
        every: epochs between measurements; 0: before the first step and after the last.
    """

    def __init__(self, examples: int, positions: int, every: int) -> None:
        self.examples = examples
        self.positions = positions
        self.every = every
        self.last: dict[str, Any] = {}

    def measured(self, sight: Sight) -> dict[str, float]:
        if sight.moment is not Moment.START and not sight.due(self.every):
            return {}
        with undisturbed(sight.device):
            network = sight.copied()
            if sight.device.type != "mps":  # which knows no float64
                network.double()  # in float32 its rounding would be all there is to see of a long product
            batch = sight.sample("val", self.examples, network)
            layers = {name: self._layer(read) for name, read in recurrent(network, batch).items()}
        self.last = {"step": sight.step, "examples": len(batch["index"]), "layers": layers}
        found: dict[str, float] = {}
        for name, spectra in layers.items():
            found |= {f"jacobian/{name}/{end}": spectra[end] for end in (*_QUARTILES, "product")}
        return found

    def _layer(self, read: Read) -> dict[str, Any]:
        """Spectra over all examples, by position, and their summary."""
        steps: dict[int, list[np.ndarray]] = {}
        products: dict[int, list[np.ndarray]] = {}
        ends: list[float] = []
        for x, length in zip(read.x, read.lengths, strict=True):
            looked_at = places(length, self.positions)
            product = None
            for t, jacobian in enumerate(jacobians(read.layer, x[:length])):
                matrix = jacobian.cpu().double().numpy()
                if t > 0:
                    product = matrix if product is None else matrix @ product
                if t > 0 and t in looked_at:
                    steps.setdefault(t + 1, []).append(singular(matrix))
                    products.setdefault(t + 1, []).append(singular(product))
            if product is not None:
                ends.append(products[length][-1][0])
        if not ends:  # no example has two positions
            return {**dict.fromkeys((*_QUARTILES, "product"), math.nan), "t": [], "step": {}, "over_time": {}}
        every = np.concatenate([values for found in steps.values() for values in found])
        order = sorted(steps)
        return {
            **{end: float(np.quantile(every, q)) for end, q in _QUARTILES.items()},
            "product": float(np.exp(np.mean(np.log(np.maximum(ends, np.finfo(float).tiny))))),
            "t": order,
            "step": _curves(steps, order),
            "over_time": _curves(products, order),
        }

    def draw(self, where: Path) -> None:
        folder.write_json(where / "figures" / "jacobian.json", self.last)
        drawing.singular_values(self.last, where / "figures" / "jacobian.png")


def places(length: int, most: int) -> set[int]:
    """Positions from the second to the last, counted from 0, evenly: both ends always."""
    if length - 1 <= most:
        return set(range(1, length))
    return {round(1 + i * (length - 2) / (most - 1)) for i in range(most)}


def jacobians(layer: Steps, x: Tensor) -> list[Tensor]:
    """J_t (S, S) at every position of x (T, D), the state of S numbers starting at zero: row i the derivative of its
    i-th number. One backward pass gives all rows: the step is taken on S copies, of which the i-th is asked for its
    i-th number."""
    state = layer.zeros(x[:1])
    widths = [part.shape[-1] for part in state]
    size = sum(widths)
    found = []
    for now in x:
        copies = torch.cat(state, -1).detach().expand(size, size).clone().requires_grad_()
        after: Carried = layer.step(now.expand(size, -1), copies.split(widths, -1)).state
        (rows,) = torch.autograd.grad(torch.cat(after, -1).diagonal().sum(), copies)
        found.append(rows)
        state = tuple(part[:1].detach() for part in after)
    return found


def singular(matrix: np.ndarray | None) -> np.ndarray:
    """In descending order; NaN where the matrix is not finite. What lies below the rounding of the largest is put
    there, since it is no more than noise."""
    assert matrix is not None
    if not np.isfinite(matrix).all():
        return np.full(len(matrix), np.nan)
    values = np.linalg.svd(matrix, compute_uv=False)
    return np.maximum(values, values[0] * np.finfo(float).eps)


def _curves(found: dict[int, list[np.ndarray]], order: list[int]) -> dict[str, list[float]]:
    """The largest, median and smallest over the examples that reach each position."""
    return {end: [float(np.quantile(np.concatenate(found[t]), q)) for t in order] for end, q in _QUARTILES.items()}

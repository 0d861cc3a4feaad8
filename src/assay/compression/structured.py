"""Structured pruning: whole units go, by their weights or by what the loss would notice."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from assay.compression import ranking
from assay.compression.ranking import by_unit
from assay.errors import ConfigError
from assay.layers.channels import Group


class Structured:
    """The least of a network's units leave: channels, hidden units, heads, entries of vectors.

    ``l1`` and ``l2``: the norm of a unit's incoming weights, Li, Kadav, Durdanovic, Samet and Graf, "Pruning Filters
    for Efficient ConvNets", 2017, arXiv:1608.08710, section 3.1; a recurrent unit's are those of all its gates, a
    head's those of its queries, keys and values. ``taylor``: I = mean over batches of (∂L/∂z)², z = 1 a factor on what
    the unit's readers see, so that ∂L/∂z = Σ w·∂L/∂w over their weights: Molchanov, Mallya, Tyree, Frosio and Kautz,
    "Importance Estimation for Neural Network Pruning", 2019, arXiv:1906.10771, eq. 8, at a gate as in section 3.2.

    Differs from them: with ``scope=global`` norms count in units of their layer's mean, since those of layers of
    another fan-in are of another size (Li et al. rank within a layer); a recurrent unit's own readers, the columns of
    U, are among those of z, over all time steps together.

    Args:
        ratio: share of the units that leave.
        scope: ``layer`` takes the same share of each layer, ``global`` ranks all together.
        floor: what a layer keeps at least: a share below 1, else a number.
        criterion: ``l1``, ``l2`` or ``taylor``.
        batches: of the training split, for ``taylor``.
    Raises:
        ConfigError: criterion is something else.
    """

    def __init__(self, ratio: float, scope: str, floor: float, criterion: str, batches: int) -> None:
        if criterion not in ("l1", "l2", "taylor"):
            raise ConfigError(f"compression.criterion={criterion} is not one of l1, l2, taylor")
        self.ratio, self.scope, self.floor = ratio, scope, floor
        self.criterion = criterion
        self.batches = batches if criterion == "taylor" else 0

    def kept(
        self, groups: list[Group], state: Mapping[str, Tensor], gradients: list[dict[str, Tensor]]
    ) -> dict[str, list[int]]:
        """Raises ConfigError: the ratio cannot be had."""
        if self.criterion == "taylor":
            scores = {group.name: _noticed(group, state, gradients) for group in groups}
        else:
            scores = {group.name: self._norm(group, state) for group in groups}
            if self.scope == "global":
                scores = {name: score / score.mean().clamp(min=1e-30) for name, score in scores.items()}
        return ranking.kept(scores, self.scope, self.ratio, self.floor)

    def _norm(self, group: Group, state: Mapping[str, Tensor]) -> Tensor:
        """(units,), over matrices: biases and normalisations are no filters."""
        matrices = [one for one in group.producers if state[one.name].dim() > 1]
        weights = torch.cat([by_unit(state[one.name].double(), group, one) for one in matrices], 1)
        return weights.norm(1 if self.criterion == "l1" else 2, dim=1)


def _noticed(group: Group, state: Mapping[str, Tensor], gradients: list[dict[str, Tensor]]) -> Tensor:
    """(units,): the mean over batches of (∂L/∂z)²."""
    squares = []
    for gradient in gradients:
        slopes = [
            by_unit(state[one.name].double() * gradient[one.name].double(), group, one).sum(1)
            for one in group.consumers
        ]
        squares.append(torch.stack(slopes).sum(0) ** 2)
    return torch.stack(squares).mean(0)

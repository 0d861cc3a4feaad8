"""Network slimming: channels go by the scale of their batch normalisation."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from assay.compression import ranking
from assay.compression.ranking import by_unit
from assay.errors import ConfigError
from assay.layers.channels import Group


class Slimming:
    """The channels of the smallest |γ| leave.

    Liu, Li, Shen, Huang, Yan and Zhang, "Learning Efficient Convolutional Networks through Network Slimming", 2017,
    arXiv:1708.06519, section 3: train with λΣ|γ| (``regularization=scales``), rank all channels together, cut,
    fine-tune; again for more rounds. Hidden units of linear layers are channels too. Maps that shortcuts join go by the
    largest of their scales: they leave where no layer writes much to them. Differs from the paper: a floor under each
    layer, which a global rank could take away whole; what a residual net joins is cut, where the paper puts a selection
    in front of each block.

    Args:
        ratio: share of the channels that leave.
        scope: ``global`` ranks all together, ``layer`` takes the same share of each layer.
        floor: what a layer keeps at least: a share below 1, else a number.
    """

    batches = 0

    def __init__(self, ratio: float, scope: str, floor: float) -> None:
        self.ratio, self.scope, self.floor = ratio, scope, floor

    def kept(
        self, groups: list[Group], state: Mapping[str, Tensor], gradients: list[dict[str, Tensor]]
    ) -> dict[str, list[int]]:
        """Raises ConfigError: nothing here has such scales, or the ratio cannot be had."""
        scores = {}
        for group in groups:
            if group.scales:
                found = [by_unit(state[one.name].abs(), group, one) for one in group.scales]
                scores[group.name] = torch.cat(found, 1).amax(1)
        if not scores:
            raise ConfigError(
                "compression=slimming ranks by the scales of batch normalisations, and this network has none on units "
                "that could leave: use normalization=batch, or compression=structured"
            )
        return ranking.kept(scores, self.scope, self.ratio, self.floor)

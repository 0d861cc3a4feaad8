"""What is refused once the network is there: headers cannot know it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from assay.engines.ranks import Ranks
from assay.errors import ConfigError


def refuse_batch_statistics(network: nn.Module, ranks: Ranks | None) -> None:
    """Raises ConfigError if a layer would take the statistics of one process's rows for those of the batch."""
    if ranks is not None and any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in network.modules()):
        raise ConfigError(
            "a batch normalisation in this network would see the rows of one process only: use trainer=auto, or "
            "normalization=layer"
        )


def refuse_search(precision: str, factors: Mapping[str, float]) -> None:
    """Raises ConfigError if optim=lbfgs would search along a loss that float16 scales, or with several rates."""
    if precision == "16-mixed":
        raise ConfigError(
            "optim=lbfgs searches along the loss, which trainer.precision=16-mixed scales: use bf16-mixed or 32-true"
        )
    if len(set(factors.values())) > 1:
        raise ConfigError("optim=lbfgs has one rate for all weights: leave out optim.groups, or use another optimiser")

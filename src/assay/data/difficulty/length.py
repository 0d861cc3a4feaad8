"""Long texts are hard."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from assay.data.dataset import DataSet
from assay.data.examples import Examples
from assay.data.samplers.curriculum import Pacing

_CHUNK = 4096


class ByLength:
    """The number of tokens of a text: Platanios et al. 2019, arXiv:1903.09848, eq. 2.

    Args:
        pacing, start, until: see :class:`assay.data.samplers.curriculum.Pacing`.
    """

    def __init__(
        self, pacing: Literal["root", "linear", "geometric"] = "root", start: float = 0.01, until: float = 0.5
    ) -> None:
        self.pacing = Pacing(pacing, start, until)

    def difficulty(self, examples: Examples, dataset: DataSet) -> Tensor:
        """(n,) float64."""
        column, padding = examples.columns["source"], int(dataset.spec.source.padding_id or 0)
        rows = examples.index.split(_CHUNK)
        return torch.cat([column.gather(chosen).ne(padding).sum(1) for chosen in rows]).double()

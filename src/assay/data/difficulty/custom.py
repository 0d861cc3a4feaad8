"""The user says what is hard."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from assay.data.dataset import DataSet
from assay.data.difficulty import table
from assay.data.examples import Examples
from assay.data.samplers.curriculum import Pacing
from assay.errors import ConfigError


class Custom:
    """Numbers from a table with the columns ``id`` and ``difficulty``.

    An id is the example's number in its data set, as predictions/test.csv has it: files are numbered from 0, row by
    row, the training file first. Rows of examples that are not trained on change nothing.

    Args:
        path: of the table.
        pacing, start, until: see :class:`assay.data.samplers.curriculum.Pacing`.
    """

    def __init__(
        self,
        path: str,
        pacing: Literal["root", "linear", "geometric"] = "root",
        start: float = 0.01,
        until: float = 0.5,
    ) -> None:
        self.path = path
        self.pacing = Pacing(pacing, start, until)

    def difficulty(self, examples: Examples, dataset: DataSet) -> Tensor:
        """(n,) float64.

        Raises:
            ConfigError: the table lacks a training example.
        """
        found = table.read(self.path)
        numbers: list[int] = examples.index.tolist()
        if lacking := [number for number in numbers if number not in found]:
            raise ConfigError(
                f"{self.path} has no difficulty of {len(lacking):,} of the {len(numbers):,} training examples, "
                f"the first of them id {min(lacking)}; give every one a row"
            )
        return torch.tensor([found[number] for number in numbers], dtype=torch.float64)

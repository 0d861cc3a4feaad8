"""Examples that have labels and nothing else."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.data.examples import Dense, Examples


def labelled(label: Tensor) -> Examples:
    return Examples({"label": Dense(label)}, torch.arange(len(label)))

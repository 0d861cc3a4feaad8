"""Class weights from the effective number of samples."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.contracts import DataSpec
from assay.data.weights.weighed import Weighed, by_class
from assay.errors import ConfigError


def effective(label: Tensor, spec: DataSpec, beta: float = 0.9999) -> Weighed:
    """(1 - β) / (1 - β^count): the inverse of how many of a class's ``count`` examples are not much like others.

    Cui, Jia, Lin, Song and Belongie, "Class-Balanced Loss Based on Effective Number of Samples", 2019,
    arXiv:1901.05555, eq. 2 and 3. β = 0 weighs all alike, β towards 1 as class_weights=balanced does; classes of far
    more than 1 / (1 - β) examples count alike. Differs: scaled
    to a mean of 1 over the examples, theirs to a sum of C over the classes; a batch's loss is divided by its weights.

    Args:
        label: of the training examples, (N,) int64.
        spec: of the data.
        beta: β.
    Raises:
        ConfigError: beta is outside [0, 1).
    """
    if not 0 <= beta < 1:
        raise ConfigError(f"class_weights.beta={beta:g} is not in [0, 1): class_weights=balanced is its limit at 1")
    counts = torch.bincount(label, minlength=len(spec.label.names)).double().clamp(min=1)  # (C,)
    return by_class((1 - beta) / (1 - beta**counts), label, spec.label.names)

"""Class weights that the user gives."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from assay.contracts import DataSpec
from assay.data.weights.class_list import parse
from assay.data.weights.weighed import Weighed, by_class
from assay.errors import ConfigError


def given(label: Tensor, spec: DataSpec, weights: Sequence[str]) -> Weighed:
    """What an error on each class costs, against the others: 1 for a class that is not named.

    Scaled to a mean of 1 over the training examples, which changes no proportion.

    Args:
        label: of the training examples, (N,) int64.
        spec: of the data.
        weights: ``NAME:WEIGHT`` each, above 0.
    Raises:
        ConfigError: there is no class of such a name.
    """
    names = spec.label.names
    found = parse(weights)
    if unknown := [name for name in found if name not in names]:
        listed = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
        raise ConfigError(f"class_weights.weights names {unknown[0]!r}, which is no class of this data: {listed}")
    each = torch.tensor([found.get(name, 1.0) for name in names], dtype=torch.float64)  # (C,)
    return by_class(each, label, names)

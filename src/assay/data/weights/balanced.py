"""Weights that make every class count the same."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.contracts import DataSpec
from assay.data.weights.weighed import Weighed, by_class


def balanced(label: Tensor, spec: DataSpec) -> Weighed:
    """N / (C · count) for an example of a class with ``count`` of the N training examples, C classes that have any.

    King and Zeng, "Logistic Regression in Rare Events Data", 2001, section 4.1 with even population shares; what
    scikit-learn's ``class_weight="balanced"`` computes.

    Args:
        label: of the training examples, (N,) int64.
        spec: of the data.
    """
    counts = torch.bincount(label, minlength=len(spec.label.names)).double()  # (C,)
    return by_class(1 / counts.clamp(min=1), label, spec.label.names)

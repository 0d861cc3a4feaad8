"""Covariate shift: training examples weighted by how likely they are among the target's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from assay.contracts import DataSpec
from assay.data.examples import Examples
from assay.data.weights.features import features
from assay.data.weights.logistic import fitted
from assay.data.weights.weighed import Weighed
from assay.errors import ConfigError


def importance(
    splits: Mapping[str, Examples],
    spec: DataSpec,
    target: Literal["test", "val"] = "test",
    c: float = 1.0,
    flatten: float = 1.0,
    clip: float | None = None,
) -> Weighed:
    """w(x) = (p_target(x) / p_train(x))^λ, where inputs are distributed otherwise in the target than in training and
    p(y|x) is the same.

    Weighted training: Shimodaira, "Improving Predictive Inference under Covariate Shift by Weighting the
    Log-likelihood Function", 2000; λ is his exponent. The ratio is the odds of a logistic classifier of target against
    training inputs, times N_train / N_target: Bickel, Brückner and Scheffer, "Discriminative Learning under Covariate
    Shift", 2009, section 3. What the classifier reads is in :mod:`assay.data.weights.features`.

    It sees the training inputs and the target's inputs, never the target's labels: the test split is then known
    without them (transductively), which is to be said with the score.

    Args:
        splits: of the data.
        spec: of the data.
        target: the split whose inputs are the target's.
        c: inverse strength of the classifier's penalty.
        flatten: λ; 0 weighs all alike, less than 1 trades bias for variance.
        clip: the largest weight, in means of the weights; None leaves them.
    Raises:
        ConfigError: inputs of such a kind cannot be compared, or flatten, c or clip is out of range.
    """
    if not (c > 0 and 0 <= flatten <= 1 and (clip is None or clip >= 1)):
        raise ConfigError(
            f"shift.c={c:g} must be above 0, shift.flatten={flatten:g} in [0, 1] and shift.clip={clip} 1 or more"
        )
    x, y = features(spec.source, splits["train"]), features(spec.source, splits[target])
    each, converged = odds(x, y, c)
    weight = torch.from_numpy(each) ** flatten
    weight = weight / weight.mean()
    if clip is not None:
        weight = weight.clamp(max=clip)
        weight = weight / weight.mean()
    note = f"from {weight.min():.3g} to {weight.max():.3g}, worth {effective_number(weight):,.0f} equal examples"
    return Weighed(weight, note if converged else f"{note}; the classifier was stopped before it had converged")


def odds(train: np.ndarray, target: np.ndarray, c: float) -> tuple[np.ndarray, bool]:
    """p_target / p_train at the training rows (n, D) -> (n,), and whether the classifier converged."""
    from scipy import sparse

    stack = sparse.vstack if sparse.issparse(train) else np.vstack
    y = np.repeat([0, 1], [train.shape[0], target.shape[0]])
    model, converged = fitted(stack([train, target]), y, c)
    return np.exp(model.decision_function(train)) * (train.shape[0] / target.shape[0]), converged


def effective_number(weight: Tensor) -> float:
    """(Σw)² / Σw²: as many examples of equal weight give an average of the same variance (Kish 1965)."""
    return float(weight.sum() ** 2 / weight.square().sum())

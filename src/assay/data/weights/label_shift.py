"""Label shift: class shares of the target, estimated through a classifier that need not be good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch

from assay.contracts import DataSpec
from assay.data.examples import Examples
from assay.data.samplers.classes import drawn, members
from assay.data.weights.features import features
from assay.data.weights.logistic import fitted
from assay.data.weights.weighed import Weighed, by_class
from assay.errors import ConfigError
from assay.layers.random import example_uniform

LEAST = 0.02
"""The least singular value of p(answer | class) that is taken for more than noise: the classifier's answers then move
by a fiftieth, at least, of any change of the class shares."""


def label_shift(
    splits: Mapping[str, Examples],
    spec: DataSpec,
    seed: int,
    target: Literal["test", "val"] = "test",
    c: float = 1.0,
) -> Weighed:
    """w(y) = p_target(y) / p_train(y), where classes have other shares in the target and p(x|y) is the same.

    Black-box shift estimation: Lipton, Wang and Smola, "Detecting and Correcting for Label Shift with Black Box
    Predictors", 2018, arXiv:1802.03916, algorithm 1. A logistic classifier is fitted on half of the training
    examples; on the other half C[i, j] = p(answer i, class j); with μ[i] = p(answer i) on the target's inputs,
    w = C⁻¹ μ. Negative weights become 0, as there, and examples of such a class are then left out of training. Differs:
    the halves are stratified, since a rare class may else be missing from one.

    It sees the target's inputs, never its labels: the test split is then known without them (transductively), which is
    to be said with the score.

    Args:
        splits: of the data.
        spec: of the data; the label is a class.
        seed: of the halves.
        target: the split whose inputs are the target's.
        c: inverse strength of the classifier's penalty.
    Raises:
        ConfigError: a class has too few examples, or C is as good as singular: two classes look alike.
    """
    if not c > 0:
        raise ConfigError(f"shift.c={c:g} must be above 0")
    train = splits["train"]
    label = train.column("label")
    names = spec.label.names
    classes = label.unique()
    if few := [names[int(number)] for number in classes if (label == number).sum() < 2]:
        raise ConfigError(f"shift=label_shift needs two training examples of every class; {few[0]} has one")
    draws = example_uniform(seed, 0, train.index, "label shift")
    first = torch.zeros(len(label), dtype=torch.bool)
    for positions in members(label):
        first[drawn(positions, draws, len(positions) // 2)] = True
    x, y = features(spec.source, train), torch.searchsorted(classes, label).numpy()
    model, converged = fitted(x[first.numpy()], y[first.numpy()], c)
    held = model.predict(x[~first.numpy()])
    answered = model.predict(features(spec.source, splits[target]))
    count = len(classes)
    joint = np.zeros((count, count))
    np.add.at(joint, (held, y[~first.numpy()]), 1 / len(held))  # (answer, class)
    share = np.bincount(answered, minlength=count) / len(answered)
    found = ratio(joint, share, [names[int(number)] for number in classes])
    weights = torch.ones(len(names), dtype=torch.float64)
    weights[classes] = torch.from_numpy(np.maximum(found, 0))
    each, note = by_class(weights, label, names)
    left_out = int((each == 0).sum())
    note += f"; {left_out:,} examples have none and are left out" if left_out else ""
    return Weighed(each, note if converged else f"{note}; the classifier was stopped before it had converged")


def ratio(joint: np.ndarray, share: np.ndarray, names: list[str]) -> np.ndarray:
    """w = C⁻¹ μ, (C,).

    Args:
        joint: C, p(answer, class) in training, (C, C).
        share: μ, p(answer) in the target, (C,).
        names: of the classes, for the refusal.
    Raises:
        ConfigError: C is as good as singular.
    """
    answers = joint / joint.sum(0)  # p(answer | class): how well classes are told apart does not depend on their shares
    _, values, right = np.linalg.svd(answers)
    if values[-1] < LEAST:
        first, second = sorted(np.argsort(-np.abs(right[-1]), kind="stable")[:2].tolist())
        raise ConfigError(
            f"shift=label_shift: the classifier hardly tells {names[first]} from {names[second]}, so their shares in "
            "the target cannot be known: use shift=none"
        )
    return np.linalg.solve(joint, share)

"""Scores against scikit-learn and plain arithmetic; the head against logistic and softmax regression."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from assay.contracts import DataSpec, Encoded, Field
from assay.layers.random import KeyedStreams
from assay.losses.cross_entropy import CrossEntropy
from assay.tasks.classification import Classification
from tests.tasks.labelled import labelled


class Pass(nn.Module):
    output_size = 4
    output_shape = (4,)

    def forward(self, x, mask=None, state=None):
        return Encoded(None, x)


class Stem(nn.Module):
    output_shape = (4,)

    def forward(self, x):
        return x, None


def task(kind: str, size: int) -> Classification:
    names = tuple(f"c{i}" for i in range(size))
    return Classification(
        DataSpec({"source": Field("vector", (4,)), "label": Field(kind, (), size, names=names)}), CrossEntropy()
    )


def made(kind: str, size: int, count: int = 200):
    torch.manual_seed(size)
    t = task(kind, size)
    network = t.network(Stem(), Pass())
    label = torch.randint(0, 2, (count, size)).float() if kind == "labels" else torch.randint(0, size, (count,))
    batch = {"source": 3 * torch.randn(count, 4), "label": label, "index": torch.arange(count)}
    return t, network, batch


def no_grad(network, batch):
    with torch.no_grad():
        return network(batch)


def test_two_classes_are_logistic_regression_with_one_unit():
    t, network, batch = made("class", 2)
    assert network.head.weight.shape == (1, 4)
    output = network(batch)
    z = network.head(batch["source"]).squeeze(-1)
    torch.testing.assert_close(output.log_probs[:, 1].exp(), torch.sigmoid(z))
    (term,) = t.terms(network, batch, KeyedStreams(0)).values()
    expected = F.binary_cross_entropy_with_logits(z, batch["label"].float())
    torch.testing.assert_close(term.total / term.weight, expected)


def test_labels_are_one_logistic_unit_each():
    t, network, batch = made("labels", 3)
    (term,) = t.terms(network, batch, KeyedStreams(0)).values()
    expected = F.binary_cross_entropy_with_logits(network.head(batch["source"]), batch["label"])
    torch.testing.assert_close(term.total / term.weight, expected)


@pytest.mark.parametrize("size", [2, 5])
def test_class_scores_against_scikit_learn(size):
    from sklearn import metrics

    t, network, batch = made("class", size)
    readings = t.readings(no_grad(network, batch), batch)
    scores = t.scores(readings)
    probs = readings["log_probs"].detach().exp().double().numpy()
    probs /= probs.sum(1, keepdims=True)
    label, predicted = batch["label"].numpy(), probs.argmax(1)
    assert scores["accuracy"] == pytest.approx(metrics.accuracy_score(label, predicted), abs=1e-6)
    assert scores["macro_f1"] == pytest.approx(metrics.f1_score(label, predicted, average="macro"), abs=1e-6)
    assert scores["log_loss"] == pytest.approx(metrics.log_loss(label, probs), rel=1e-5)
    error, confidence = 0.0, probs.max(1)
    for low in np.arange(15) / 15:  # expected calibration error, Guo et al. 2017, equation 3
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            error += inside.mean() * abs((predicted == label)[inside].mean() - confidence[inside].mean())
    assert scores["calibration_error"] == pytest.approx(error, abs=1e-5)


def test_label_scores_against_scikit_learn():
    from sklearn import metrics

    t, network, batch = made("labels", 4)
    scores = t.scores(t.readings(no_grad(network, batch), batch))
    predicted = (network.head(batch["source"]) > 0).long().numpy()
    label = batch["label"].long().numpy()
    assert scores["micro_f1"] == pytest.approx(metrics.f1_score(label, predicted, average="micro"), abs=1e-6)
    assert scores["macro_f1"] == pytest.approx(metrics.f1_score(label, predicted, average="macro"), abs=1e-6)
    assert scores["accuracy"] == pytest.approx((label == predicted).mean(), abs=1e-6)


def test_the_baseline_answers_the_commonest_class():
    t, network, batch = made("class", 3)
    batch["label"] = torch.tensor([0] * 100 + [1] * 60 + [2] * 40)
    train = labelled(torch.tensor([1] * 50 + [0] * 30 + [2] * 20))
    name, scores = t.baseline(train, t.readings(no_grad(network, batch), batch))
    assert name == "majority"
    assert scores["accuracy"] == pytest.approx(60 / 200)
    assert scores["log_loss"] == pytest.approx(-(100 * math.log(0.3) + 60 * math.log(0.5) + 40 * math.log(0.2)) / 200)


def test_names_and_probabilities_of_answers():
    t = task("class", 3)
    log_probs = torch.tensor([[0.2, 0.5, 0.3], [0.7, 0.1, 0.2]]).log()
    names, probabilities = t.table(log_probs)
    assert names == ["c1", "c0"]
    assert probabilities == pytest.approx([0.5, 0.7])
    several = task("labels", 2)
    names, probabilities = several.table(torch.tensor([[[0.1, 0.9], [0.6, 0.4]], [[0.2, 0.8], [0.3, 0.7]]]).log())
    assert names == ["c0", "c0|c1"]
    assert probabilities == pytest.approx([0.54, 0.56])

"""Scores against scikit-learn; units of the label."""

from __future__ import annotations

import pytest
import torch

from assay.contracts import DataSpec, Field
from assay.layers.random import KeyedStreams
from assay.losses.mse import MeanSquaredError
from assay.tasks.regression import Regression
from tests.tasks.labelled import labelled
from tests.tasks.test_classification import Pass, Stem


def test_a_label_is_learnt_in_deviations_and_scored_in_its_units():
    from sklearn import metrics

    torch.manual_seed(0)
    label = 1e5 + 2e4 * torch.randn(50)
    spec = DataSpec({"source": Field("vector", (4,)), "label": Field("number", (), center=1e5, scale=2e4)})
    task = Regression(spec, MeanSquaredError())
    network = task.network(Stem(), Pass())
    batch = {"source": torch.randn(50, 4), "label": label, "index": torch.arange(50)}
    output = network(batch)
    (term,) = task.terms(network, batch, KeyedStreams(0)).values()
    torch.testing.assert_close(term.total / term.weight, ((output.logits - (label - 1e5) / 2e4) ** 2).mean())
    readings = {name: value.detach() for name, value in task.readings(output, batch).items()}
    scores = task.scores(readings)
    y, p = label.double().numpy(), (output.logits.detach().double() * 2e4 + 1e5).numpy()
    assert scores["mae"] == pytest.approx(metrics.mean_absolute_error(y, p), rel=1e-6)
    assert scores["rmse"] == pytest.approx(metrics.mean_squared_error(y, p) ** 0.5, rel=1e-6)
    assert scores["r2"] == pytest.approx(metrics.r2_score(y, p), rel=1e-4)
    name, baseline = task.baseline(labelled(label), readings)
    assert name == "mean"
    assert baseline["r2"] == pytest.approx(0, abs=1e-5)
    assert baseline["rmse"] == pytest.approx(y.std(), rel=1e-5)

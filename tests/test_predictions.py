"""predictions/test.csv: one row per example, in order, that adds up."""

from __future__ import annotations

import csv
import math

import torch

from assay import predictions
from assay.contracts import DataSpec, Field
from assay.tasks.classification import Classification
from assay.tasks.regression import Regression


def written(tmp_path, task, readings):
    path = tmp_path / "deep" / "test.csv"
    predictions.write(path, task, readings)
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def spec(kind, size=None, names=()):
    return DataSpec({"source": Field("vector", (4,)), "label": Field(kind, (), size, names=names)})


def test_classes_with_names_that_need_quotes(tmp_path):
    task = Classification(spec("class", 3, ("a,b", 'say "c"', "d\ne")), torch.nn.Identity())
    probabilities = torch.tensor([[0.2, 0.5, 0.3], [0.7, 0.1, 0.2], [0.1, 0.1, 0.8]])
    label = torch.tensor([1, 2, 2])
    log_probs = probabilities.log()
    loss = -log_probs.gather(1, label[:, None]).squeeze(1)
    readings = {"index": torch.tensor([7, 3, 11]), "label": label, "log_probs": log_probs, "loss": loss}
    rows = written(tmp_path, task, readings)
    assert [row["id"] for row in rows] == ["7", "3", "11"]
    assert [row["target"] for row in rows] == ['say "c"', "d\ne", "d\ne"]
    assert [row["prediction"] for row in rows] == ['say "c"', "a,b", "d\ne"]
    assert [row["probability"] for row in rows] == ["0.500000", "0.700000", "0.800000"]
    for row, p in zip(rows, (0.5, 0.2, 0.8), strict=True):
        assert math.isclose(float(row["loss"]), -math.log(p), rel_tol=1e-5)


def test_labels(tmp_path):
    task = Classification(spec("labels", 2, ("hot", "wet")), torch.nn.Identity())
    on = torch.tensor([[0.9, 0.4], [0.2, 0.1]])
    log_probs = torch.stack([1 - on, on], -1).log()
    readings = {
        "index": torch.arange(2),
        "label": torch.tensor([[1, 1], [0, 0]]),
        "log_probs": log_probs,
        "loss": torch.tensor([0.5, 0.25]),
    }
    rows = written(tmp_path, task, readings)
    assert [(row["target"], row["prediction"]) for row in rows] == [("hot|wet", "hot"), ("", "")]
    assert [float(row["probability"]) for row in rows] == [0.54, 0.72]


def test_numbers_have_no_probability(tmp_path):
    task = Regression(spec("number"), torch.nn.Identity())
    readings = {
        "index": torch.arange(2),
        "label": torch.tensor([1234.5, -1.0]).double(),
        "prediction": torch.tensor([1234.0, 1e-7]).double(),
        "loss": torch.tensor([0.25, 1.0]).double(),
    }
    assert written(tmp_path, task, readings) == [
        {"id": "0", "target": "1234.5", "prediction": "1234", "probability": "", "loss": "0.25"},
        {"id": "1", "target": "-1", "prediction": "1e-07", "probability": "", "loss": "1"},
    ]


def test_a_run_writes_its_whole_test_split_with_the_numbers_of_the_data(digits_run):
    from sklearn.datasets import load_digits

    with open(digits_run.folder / "predictions" / "test.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    target = load_digits().target
    assert len({row["id"] for row in rows}) == len(rows) == 180
    assert all(row["target"] == str(target[int(row["id"])]) for row in rows)

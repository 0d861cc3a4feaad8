"""Adult as its option gives it, against the two files read anew."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.errors import ConfigError
from assay.preflight import compose
from tests import covers
from tests.data.published import counts, ready
from tests.references.published import delimited


def test_every_row_is_the_files():
    dataset = ready("adult", "scaling=none")
    rows = delimited(covers.DATA / "adult" / "adult-train.csv.gz") + delimited(covers.DATA / "adult" / "adult-test.csv")
    batches = [examples.gather(torch.arange(len(examples))) for examples in dataset.splits.values()]
    order = torch.cat([batch["index"] for batch in batches]).argsort()
    x = torch.cat([batch["source"] for batch in batches])[order].numpy()
    labels = torch.cat([batch["label"] for batch in batches])[order].tolist()
    assert len(order) == len(rows) == 48842
    columns = list(zip(*rows, strict=True))
    for place, name in enumerate(dataset.spec.source.names):
        if dataset.spec.source.cardinalities[place] == 0:
            np.testing.assert_array_equal(x[:, place], np.array(columns[place], np.float32))
        else:
            codes = {cell or "?": code for code, cell in enumerate(dataset.preprocessing.categories_[name], 1)}
            assert x[:, place].tolist() == [codes.get(cell, 0) for cell in columns[place]]
    names = dataset.spec.label.names
    assert names == ("<=50K", ">50K")
    assert [names[label] for label in labels] == [row[-1].rstrip(".") for row in rows]


def test_known_counts():
    held = counts(ready("adult", "scaling=none"))
    assert held["test"] == [12435, 3846]
    assert [a + b for a, b in zip(held["train"], held["val"], strict=True)] == [24720, 7841]
    assert sum(held["val"]) == 3256
    assert ready("adult", "scaling=none").digest.startswith("a0db84a56eced535")


@pytest.mark.parametrize("name", ["adult", "horse_colic"])
def test_empty_cells_need_an_imputation(name):
    with pytest.raises(ConfigError, match=f"data={name} has empty cells, which impute=none refuses"):
        compose((f"data={name}", "impute=none", *covers.DOWNLOADS))

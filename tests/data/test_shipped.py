"""The four tables of scikit-learn, against scikit-learn's own loaders."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.datasets
import torch

from assay.data import shipped
from assay.errors import ConfigError
from tests.data.published import by_number, counts, ready


def expected(name: str):
    scaled = {"scaled": False} if name == "diabetes" else {}
    return getattr(sklearn.datasets, f"load_{name}")(**scaled)


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes"])
def test_every_row_is_the_loaders(name):
    dataset, theirs = ready(name, "scaling=none"), expected(name)
    found = by_number(dataset)
    assert len(found) == len(theirs.data)
    x = torch.stack([found[number][0] for number in range(len(found))]).numpy()
    np.testing.assert_array_equal(x, theirs.data.astype(np.float32))
    assert list(dataset.spec.source.names) == list(theirs.feature_names)
    values = [found[number][1] for number in range(len(found))]
    if name == "diabetes":
        assert dataset.spec.label.kind == "number"
        np.testing.assert_array_equal(values, theirs.target)
    else:
        named = [dataset.spec.label.names[int(value)] for value in values]
        assert named == [str(theirs.target_names[value]) for value in theirs.target]


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("iris", "2650b8ad61c89cad"),
        ("wine", "b13718b3f53b1854"),
        ("breast_cancer", "93cefa2f87f7453c"),
        ("diabetes", "29c830e5dfd40240"),
    ],
)
def test_the_digest_stays(name, digest):
    assert ready(name).digest.startswith(digest)


def test_known_counts():
    assert counts(ready("iris")) == {"train": [40, 40, 40], "val": [5, 5, 5], "test": [5, 5, 5]}
    assert counts(ready("wine"))["test"] == [6, 7, 5]
    assert [sum(held) for held in zip(*counts(ready("breast_cancer")).values(), strict=True)] == [357, 212]
    assert [len(examples) for examples in ready("diabetes").splits.values()] == [354, 44, 44]


def test_scaling_sees_the_training_split_only():
    dataset = ready("wine")
    x = dataset.splits["train"].column("source").double()
    torch.testing.assert_close(x.mean(0), torch.zeros(13, dtype=torch.float64), atol=1e-6, rtol=0)
    torch.testing.assert_close(x.std(0, correction=0), torch.ones(13, dtype=torch.float64), atol=1e-6, rtol=0)


def test_files_that_are_not_as_they_say_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    monkeypatch.setattr(shipped, "shipped_file", lambda name, data: path)
    for text, message in (
        ("3,1,a,b\n1,0\n2,1\n", "has 2 rows of 1 where its first line says 3"),
        ("2,1,a,b\n1,0\n2,2\n", "line 3: the class '2' is none of 0 to 1"),
        ("2,1,a,b\n1,0\n2\n", "line 3: expected 2 cells, found 1"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=message):
            shipped.shipped_classes("x", "a.csv", ["f"], fills=False)
    monkeypatch.undo()
    with pytest.raises(ConfigError, match=r"data=iris ships with scikit-learn, whose file none\.csv is not there"):
        shipped.shipped_file("none.csv", "iris")

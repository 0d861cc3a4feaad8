"""data.json: what the data were, counted by hand."""

from __future__ import annotations

import json

from assay.data.card import card, short
from assay.data.digits import Digits
from assay.data.preprocessing.impute import NoImputation
from assay.data.preprocessing.scaling import Standard
from assay.data.tabular_csv import TabularCSV


def test_of_classes():
    dataset = Digits()
    dataset.setup()
    found = json.loads(json.dumps(card(dataset, "digits")))
    assert (found["data"], found["licence"], found["digest"]) == ("digits", "CC BY 4.0", dataset.digest)
    assert found["sizes"] == {"train": 1437, "val": 180, "test": 180}
    assert found["input"] == {"kind": "image", "shape": [1, 8, 8], "size": None}
    assert found["label"]["names"] == list("0123456789")
    for split, counts in found["label"]["splits"].items():
        labels = dataset.splits[split].column("label").tolist()
        assert counts == [labels.count(n) for n in range(10)]


def dataset_of(tmp_path, lines, label):
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(lines) + "\n")
    dataset = TabularCSV(str(path), label, Standard(), NoImputation())
    dataset.setup()
    return dataset


def test_of_numbers(tmp_path):
    dataset = dataset_of(tmp_path, ["x,y", *(f"{n},{n / 4}" for n in range(50))], "y")
    found = card(dataset, "tabular_csv")["label"]
    values = [number / 4 for number in dataset.splits["train"].index.tolist()]
    mean = sum(values) / len(values)
    deviation = (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5
    told = found["splits"]["train"]
    assert (found["kind"], told["least"], told["greatest"]) == ("number", min(values), max(values))
    assert abs(told["mean"] - mean) < 1e-9
    assert abs(told["deviation"] - deviation) < 1e-9


def test_of_several_labels(tmp_path):
    dataset = dataset_of(
        tmp_path, ["x,hot,wet", *(f"{n},{n % 2},{int(n % 3 == 0)}" for n in range(60))], ["hot", "wet"]
    )
    found = card(dataset, "tabular_csv")["label"]
    train = dataset.splits["train"].index.tolist()
    assert found["names"] == ["hot", "wet"]
    assert found["splits"]["train"] == [sum(n % 2 for n in train), sum(n % 3 == 0 for n in train)]


def test_long_lists_are_told_by_their_length():
    plain = {
        "type": "text",
        "tokenizer": {"vocabulary_": ["w"] * 5000, "lowercase": True},
        "many": dict.fromkeys(range(40)),
    }
    assert short(plain) == {
        "type": "text",
        "tokenizer": {"vocabulary_": "5,000 values", "lowercase": True},
        "many": "40 entries",
    }


def test_a_run_writes_it(digits_run):
    found = json.loads((digits_run.folder / "data.json").read_text(encoding="utf-8"))
    assert found["sizes"] == {"train": 1437, "val": 180, "test": 180}

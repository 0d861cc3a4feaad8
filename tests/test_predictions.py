"""predictions/test.csv: one row per example, in order, that adds up."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from assay import predictions
from assay.contracts import DataSpec, Field
from assay.data.examples import Examples, Ragged
from assay.layers.outputs import Softmax
from assay.tasks.classification import Classification
from assay.tasks.regression import Regression
from assay.tasks.tagging import Tagging


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


def hardest(tmp_path, task, readings, dataset):
    path = tmp_path / "deep" / "hardest.json"
    source, preprocessing = dataset.spec.source, dataset.preprocessing
    predictions.write_hardest(path, task, readings, dataset.splits["test"], source, preprocessing)
    return json.loads(path.read_text(encoding="utf-8"))


def opened(uri):
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        image.load()
        assert (uri.partition(",")[0], image.format) == ("data:image/png;base64", "PNG")
        return np.asarray(image)


def test_the_hardest_images_are_those_of_the_highest_loss_pixel_by_pixel(digits_run):
    from sklearn.datasets import load_digits

    found = json.loads((digits_run.folder / "predictions" / "hardest.json").read_text(encoding="utf-8"))
    with open(digits_run.folder / "predictions" / "test.csv", encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: -float(row["loss"]))
    assert (found["count"], len(found["examples"])) == (180, predictions.HARDEST)
    images = load_digits().images
    for one, row in zip(found["examples"], rows, strict=False):
        assert [str(one[key]) for key in ("id", "target", "prediction")] == [
            row["id"],
            row["target"],
            row["prediction"],
        ]
        assert math.isclose(one["probability"], float(row["probability"]), abs_tol=1e-6)
        assert one["loss"] == float(row["loss"])
        assert one["answers"][0][0] == one["prediction"]
        assert sorted((p for _, p in one["answers"]), reverse=True) == [p for _, p in one["answers"]]
        assert np.array_equal(opened(one["image"]), np.round(images[one["id"]] / 16 * 255).astype(np.uint8))


def test_hardest_rows_stand_in_the_units_of_the_file_whatever_the_order_of_the_readings(tmp_path):
    from assay.data.preprocessing.impute import Mean
    from assay.data.preprocessing.scaling import Standard
    from assay.data.tabular_csv import TabularCSV

    path = tmp_path / "rows.csv"
    lines = [f"{100 + 7 * n},{n * 1e-3:g},{'red' if n % 3 else 'blue'},{n * 2.5}" for n in range(60)]
    path.write_text("size,weight,colour,price\n" + "\n".join(lines) + "\n")
    dataset = TabularCSV(str(path), "price", Standard(), Mean())
    dataset.setup()
    number = dataset.splits["test"].index.flip(0)
    loss = torch.arange(len(number)).double()
    readings = {"index": number, "label": number * 2.5, "prediction": number.double(), "loss": loss}
    found = hardest(tmp_path, Regression(spec("number"), torch.nn.Identity()), readings, dataset)["examples"]
    assert [one["id"] for one in found] == number.flip(0).tolist()
    for one in found:
        n = one["id"]
        weight = f"{n * 1e-3:.5g}"
        assert one["row"][0] == ["size", str(100 + 7 * n)]
        assert math.isclose(float(one["row"][1][1]), float(weight), abs_tol=1e-6)
        assert one["row"][2] == ["colour", "red" if n % 3 else "blue"]
        assert one["columns"] == 3
        assert "probability" not in one


def test_hardest_texts_are_cut_and_a_loss_that_is_none_comes_first(tmp_path):
    from assay.data.text_csv import TextCSV
    from assay.data.tokenizers.word import Word

    path = tmp_path / "texts.csv"
    path.write_text("t,y\n" + "".join(f"{f'word{n} ' * 100},{'ab'[n % 2]}\n" for n in range(40)))
    dataset = TextCSV(str(path), "t", "y", Word())
    dataset.setup()
    number = dataset.splits["test"].index
    log_probs = torch.tensor([[0.75, 0.25]] * len(number)).log()
    loss = torch.zeros(len(number))
    loss[2] = torch.nan
    readings = {"index": number, "label": torch.zeros(len(number)).long(), "log_probs": log_probs, "loss": loss}
    task = Classification(spec("class", 2, ("a", "b")), torch.nn.Identity())
    found = hardest(tmp_path, task, readings, dataset)["examples"]
    assert found[0]["id"] == number[2]
    assert found[0]["answers"] == [["a", 0.75], ["b", 0.25]]
    assert len(found[0]["text"]) == 300
    assert found[0]["text"].endswith("…")


@pytest.mark.parametrize(("shape", "size"), [((1, 200, 100), (32, 64)), ((3, 64, 64), (64, 64)), ((3, 5, 9), (9, 5))])
def test_thumbnails_are_small_and_keep_their_proportions(shape, size):
    image = opened(predictions.thumbnail(torch.rand(shape)))
    assert (image.shape[1], image.shape[0]) == size
    assert image.ndim == (2 if shape[0] == 1 else 3)


def tagging():
    fields = {"source": Field("ids", (None,), 6, 0), "label": Field("tags", (None,), 3, -1, ("O", "B-to", "I-to"))}
    readings = {
        "index": torch.tensor([1, 0]),
        "label": torch.tensor([[0, 1, 2], [1, -1, -1]]),
        "prediction": torch.tensor([[0, 1, 0], [1, -1, -1]]),
        "probability": torch.tensor([0.25, 0.5]),
        "loss": torch.tensor([3.0, 0.125]),
    }
    return Tagging(DataSpec(fields), torch.nn.Identity(), Softmax), fields["source"], readings


def test_tags_of_a_sentence_are_one_answer(tmp_path):
    task, _, readings = tagging()
    first, second = written(tmp_path, task, readings)
    assert first == {
        "id": "1",
        "target": "O B-to I-to",
        "prediction": "O B-to O",
        "probability": "0.250000",
        "loss": "3",
    }
    assert (second["target"], second["prediction"], second["probability"]) == ("B-to", "B-to", "0.500000")


def test_the_hardest_sentences_have_their_words(tmp_path):
    task, source, readings = tagging()
    columns = {"source": Ragged.join([[5], [2, 3, 4]], 0)}
    words = SimpleNamespace(
        show=lambda ids: " ".join("_?abcd"[number] for number in ids.tolist() if number), to_json=dict
    )
    path = tmp_path / "hardest.json"
    predictions.write_hardest(path, task, readings, Examples(columns, torch.arange(2)), source, words)
    first, second = json.loads(path.read_text())["examples"]
    assert (first["id"], first["tokens"], first["prediction"]) == (1, ["a", "b", "c"], "O B-to O")
    assert (first["probability"], first["loss"], "answers" in first) == (0.25, 3.0, False)
    assert second["tokens"] == ["d"]

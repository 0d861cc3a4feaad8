"""`assay predict` and `assay evaluate` on what was trained: every input, every output, every kind of label."""

from __future__ import annotations

import csv
import io
import json
import shutil

import pytest

import assay
from assay.cli import main
from assay.errors import ConfigError
from assay.predict import render


def train(folder, *overrides):
    return assay.train(f"outputs={folder / 'outputs'}", "logger=none", "trainer=cpu", *overrides)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("predict")


@pytest.fixture(scope="module")
def reviews(folder):
    """A run on texts of two classes, one word telling which."""
    path = folder / "reviews.csv"
    lines = [
        f"the film number {i} was {'good' if i % 2 else 'bad'} indeed,{'yes' if i % 2 else 'no'}" for i in range(120)
    ]
    path.write_text("review,liked\n" + "\n".join(lines) + "\n", encoding="utf-8")
    words = ["data=text_csv", f"data.path={path}", "data.text=review", "data.label=liked", "model=bag"]
    return train(folder, *words, "optim.lr=0.05", "trainer.max_epochs=6")


@pytest.fixture(scope="module")
def prices(folder):
    """A run on a table with a number to predict: y = 3 a, and a category that says nothing."""
    path = folder / "prices.csv"
    path.write_text("a,kind,y\n" + "".join(f"{i / 10},{'uv'[i % 2]},{3 * i / 10 + 1000}\n" for i in range(200)))
    words = ["data=tabular_csv", f"data.path={path}", "data.label=y", "task=regression", "scaling=standard"]
    return train(folder, *words, "model=mlp", "optim.lr=0.01", "trainer.max_epochs=15")


@pytest.fixture(scope="module")
def several(folder):
    """A run on a table with two labels."""
    path = folder / "several.csv"
    path.write_text(
        "a,b,hot,wet\n" + "".join(f"{i % 10},{i % 7},{int(i % 10 > 4)},{int(i % 7 > 2)}\n" for i in range(210))
    )
    words = ["data=tabular_csv", f"data.path={path}", "data.label=[hot,wet]", "scaling=standard", "model=mlp"]
    return train(folder, *words, "optim.lr=0.03", "trainer.max_epochs=20")


@pytest.fixture(scope="module")
def image(folder):
    """An image file of a digit of the training data, and its name."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    path = folder / "a digit.png"
    Image.fromarray((digits.images[0] * 255 / 16).round().astype(np.uint8)).save(path)
    return path, str(digits.target[0])


def said(capsys, *arguments: str) -> tuple[str, str]:
    assert main([str(one) for one in arguments]) == 0
    captured = capsys.readouterr()
    return captured.out, captured.err


# images


def test_a_table_for_people(capsys, digits_run, image):
    path, digit = image
    out, _ = said(capsys, "predict", digits_run.folder, path, path)
    head, *rows = out.splitlines()
    assert head.split() == ["id", "prediction", "probability"]
    assert len(rows) == 2
    assert rows[0] == rows[1]
    name, predicted, probability = rows[0].rsplit(maxsplit=2)
    assert name in (str(path), str(path)[:59] + "…")
    assert predicted == digit
    assert 0 < float(probability) <= 1


def test_csv_and_json_lines_say_the_same(capsys, digits_run, image):
    path, digit = image
    (row,) = csv.DictReader(io.StringIO(said(capsys, "predict", digits_run.folder, path, "--format", "csv")[0]))
    plain = json.loads(said(capsys, "predict", digits_run.folder, path, "--format", "jsonl")[0])
    assert row["id"] == plain["id"] == str(path)
    assert row["prediction"] == plain["prediction"] == digit
    assert list(row) == ["id", "prediction", "probability", *(f"p({i})" for i in range(10))]
    assert {name: float(row[f"p({name})"]) for name in map(str, range(10))} == plain["probabilities"]
    assert plain["probabilities"][digit] == plain["probability"]
    assert digits_run.predict(path)[0]["probabilities"] == plain["probabilities"]


def test_output_goes_to_the_file_alone(capsys, tmp_path, digits_run, image):
    target = tmp_path / "answers.csv"
    out, err = said(capsys, "predict", digits_run.folder, image[0], "--format", "csv", "--output", target)
    assert (out, err) == ("", "")
    assert target.read_text(encoding="utf-8").splitlines()[0].startswith("id,prediction,probability,p(0)")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.png"], "missing.png"),
        (["{image}", "--format", "xml"], "invalid choice: 'xml'"),
        (["{image}", "--output", "{tmp}/no/such/file.csv"], "--output"),
        (["{tmp}/notes.md"], "notes.md"),
    ],
)
def test_what_cannot_be_predicted_costs_a_line(capsys, tmp_path, digits_run, image, arguments, words):
    (tmp_path / "notes.md").write_text("no image")
    filled = [one.format(image=image[0], tmp=tmp_path) for one in arguments]
    assert main(["predict", str(digits_run.folder), *filled]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert words in captured.err
    assert captured.err.count("\n") == 1


# texts


def test_literal_texts(capsys, reviews):
    out, _ = said(capsys, "predict", reviews.folder, "a good film", "a bad film", "--format", "csv")
    assert [row["prediction"] for row in csv.DictReader(io.StringIO(out))] == ["yes", "no"]


def test_texts_on_standard_input(capsys, monkeypatch, reviews):
    for arguments in ([], ["-"]):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a good one\nbad, bad\n"), encoding="utf-8"))
        out, _ = said(capsys, "predict", reviews.folder, *arguments, "--format", "jsonl")
        rows = [json.loads(line) for line in out.splitlines()]
        assert [(row["id"], row["prediction"]) for row in rows] == [("-:1", "yes"), ("-:2", "no")]


def test_texts_of_a_table(capsys, tmp_path, reviews):
    path = tmp_path / "new.csv"
    path.write_text('other,review\n1,"good, so good"\n2,"bad\nvery bad"\n', encoding="utf-8")
    out, _ = said(capsys, "predict", reviews.folder, path, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["prediction"] for row in rows] == ["yes", "no"]
    assert rows[0]["id"] == f"{path}:2"


def test_nothing_on_standard_input_is_refused(capsys, monkeypatch, reviews):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b""), encoding="utf-8"))
    assert main(["predict", str(reviews.folder), "-"]) == 2
    assert "standard input" in capsys.readouterr().err


# numbers and several labels


def test_a_number_is_given_in_the_units_of_the_label(capsys, tmp_path, prices):
    path = tmp_path / "new.csv"
    path.write_text("kind,a\nu,5\nv,15\n")
    out, err = said(capsys, "predict", prices.folder, path)
    head, *rows = [line.split() for line in out.splitlines()]
    assert head == ["id", "prediction"]
    assert [float(row[1]) for row in rows] == [pytest.approx(1015, abs=6), pytest.approx(1045, abs=6)]
    assert err == ""
    (row,) = prices.predict({"a": 5, "kind": "u"})
    assert row == {"prediction": pytest.approx(float(rows[0][1]), rel=1e-5)}
    answers = csv.DictReader((prices.folder / "predictions" / "test.csv").read_text(encoding="utf-8").splitlines())
    for answer in answers:
        assert answer["probability"] == ""
        error = float(answer["target"]) - float(answer["prediction"])
        assert float(answer["loss"]) == pytest.approx(error**2, rel=0.05, abs=0.02)


def test_notes_go_to_stderr(capsys, tmp_path, prices):
    path = tmp_path / "new.csv"
    path.write_text("kind,a\nw,5\nw,15\n")
    out, err = said(capsys, "predict", prices.folder, path, "--format", "csv")
    assert "2 rows hold a value of kind unseen in training: 'w'" in err
    assert "unseen" not in out


def test_labels_are_joined_and_each_has_its_probability(several):
    rows = several.predict([{"a": 9, "b": 6}, {"a": 0, "b": 0}, {"a": 9, "b": 0}])
    assert [row["prediction"] for row in rows] == ["hot|wet", "", "hot"]
    for row in rows:
        hot, wet = row["probabilities"]["hot"], row["probabilities"]["wet"]
        assert row["probability"] == pytest.approx(max(hot, 1 - hot) * max(wet, 1 - wet), rel=1e-5)
    answers = list(
        csv.DictReader((several.folder / "predictions" / "test.csv").read_text(encoding="utf-8").splitlines())
    )
    assert {answer["target"] for answer in answers} <= {"", "hot", "wet", "hot|wet"}
    same = sum(answer["target"] == answer["prediction"] for answer in answers) / len(answers)
    assert same > 0.8
    assert not (several.folder / "figures" / "confusion.png").exists()


def test_rendering():
    rows = [{"id": "a,b", "prediction": "x", "probability": 0.75, "probabilities": {"x": 0.75, 'y"': 0.25}}]
    assert render(rows, "csv") == 'id,prediction,probability,p(x),"p(y"")"\n"a,b",x,0.75,0.75,0.25'
    assert json.loads(render(rows, "jsonl")) == rows[0]
    assert render([{"id": "1" * 70, "prediction": 2.5}], "table").splitlines()[1] == "1" * 59 + "…  2.5"
    with pytest.raises(ConfigError, match="--format xml is not one of table, csv, jsonl"):
        render(rows, "xml")


# evaluate


@pytest.mark.parametrize("kind", ["digits_run", "reviews", "prices", "several"])
def test_evaluating_again_gives_the_scores_of_the_run(capsys, request, kind):
    run = request.getfixturevalue(kind)
    out, _ = said(capsys, "evaluate", run.folder)
    scores = {line.split()[0]: float(line.split()[1]) for line in out.splitlines() if line.startswith("test/")}
    expected = {name: value for name, value in run.summary.items() if name.startswith("test/")}
    assert scores.keys() == expected.keys()
    for name, value in expected.items():
        assert scores[name] == pytest.approx(value, abs=1e-4)


def test_other_data_pass_through_what_was_fitted_in_training(capsys, tmp_path, reviews, prices):
    """Another vocabulary, other means: the model sees them as it saw its own."""
    texts = tmp_path / "more.csv"
    texts.write_text(
        "review,liked\n"
        + "".join(f"{'good' if i % 2 else 'bad'} {i} anew,{'yes' if i % 2 else 'no'}\n" for i in range(60))
    )
    out, _ = said(capsys, "evaluate", reviews.folder, f"data.path={texts}")
    assert float(out.split("test/accuracy")[1].split()[0]) == 1.0
    numbers = tmp_path / "numbers.csv"
    numbers.write_text(
        "a,kind,y\n" + "".join(f"{5 + i / 100},{'uv'[i % 2]},{3 * (5 + i / 100) + 1000}\n" for i in range(100))
    )
    out, _ = said(capsys, "evaluate", prices.folder, f"data.path={numbers}")
    assert float(out.split("test/rmse")[1].split()[0]) < 6  # refitted scaling would be off by tens


def test_data_of_other_classes_are_refused(capsys, tmp_path, reviews):
    path = tmp_path / "others.csv"
    path.write_text("review,liked\n" + "".join(f"good {i},{'good' if i % 2 else 'bad'}\n" for i in range(60)))
    assert main(["evaluate", str(reviews.folder), f"data.path={path}"]) == 2
    err = capsys.readouterr().err
    assert "was trained on label class of 2 (no, yes); this data has class of 2 (bad, good)" in err
    assert err.count("\n") == 1


def test_data_of_another_kind_are_refused(capsys, digits_run):
    assert main(["evaluate", str(digits_run.folder), "data=char_contains"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1


def test_an_artifact_alone_asks_for_data(capsys, tmp_path, digits_run):
    shutil.copytree(digits_run.folder / "artifact", tmp_path / "artifact")
    assert main(["evaluate", str(tmp_path / "artifact")]) == 2
    assert "is an artifact without its run" in capsys.readouterr().err
    out, _ = said(capsys, "evaluate", tmp_path / "artifact", "data=digits")
    assert float(out.split("test/accuracy")[1].split()[0]) == pytest.approx(
        digits_run.summary["test/accuracy"], abs=1e-4
    )

"""Tags as `assay predict` shows them, and a tagger trained, opened and asked."""

from __future__ import annotations

import csv
import io
import json

import pytest
import torch

from assay.cli import main
from assay.errors import ConfigError
from assay.predict import load, render
from assay.predicted_tags import rows


class Task:
    names = ("O", "B-city", "I-city")
    intents = ("fare", "flight")


OUTPUTS = {
    "prediction": torch.tensor([[0, 1, 2], [1, -1, -1]]),
    "each": torch.tensor([[0.5, 0.25, 1.0], [0.75, -1, -1]]),
    "probability": torch.tensor([0.125, 0.75]),
}
WORDS = [["to", "New", "York"], ["Rome"]]


def identified(found):
    return [{"id": f"a.txt:{place}", **row} for place, row in enumerate(found, 1)]


def test_a_row_has_words_tags_and_their_probabilities():
    first, second = rows(Task(), OUTPUTS, WORDS)
    assert first == {
        "prediction": ["O", "B-city", "I-city"],
        "tokens": ["to", "New", "York"],
        "probability": 0.125,
        "probabilities": [0.5, 0.25, 1.0],
    }
    assert (second["prediction"], second["probabilities"]) == (["B-city"], [0.75])


def test_the_table_pairs_words_and_tags():
    lines = render(identified(rows(Task(), OUTPUTS, WORDS)), "table").splitlines()
    assert lines[0].split() == ["id", "prediction", "probability"]
    assert lines[1].split() == ["a.txt:1", "to/O", "New/B-city", "York/I-city", "0.1250"]


def test_csv_has_a_row_for_each_word_and_json_lines_one_for_each_sentence():
    found = identified(rows(Task(), OUTPUTS, WORDS))
    table = list(csv.DictReader(io.StringIO(render(found, "csv"))))
    assert [(row["id"], row["position"], row["token"], row["tag"]) for row in table] == [
        ("a.txt:1", "1", "to", "O"),
        ("a.txt:1", "2", "New", "B-city"),
        ("a.txt:1", "3", "York", "I-city"),
        ("a.txt:2", "1", "Rome", "B-city"),
    ]
    assert table[1]["probability"] == "0.250000"
    assert [json.loads(line)["tokens"] for line in render(found, "jsonl").splitlines()] == WORDS


def test_an_intent_stands_beside():
    more = {**OUTPUTS, "intent": torch.tensor([1, 0]), "intent_probability": torch.tensor([0.5, 1.0])}
    found = identified(rows(Task(), more, WORDS))
    assert (found[0]["intent"], found[0]["intent_probability"]) == ("flight", 0.5)
    assert render(found, "table").splitlines()[1].split()[-2:] == ["flight", "0.5000"]
    assert render(found, "csv").splitlines()[1].endswith(",flight,0.500000")


def test_several_taggings_are_ranked():
    taggings = torch.tensor([[[0, 1, 2], [0, 1, 1]], [[1, -1, -1], [-1, -1, -1]]])
    more = {**OUTPUTS, "n_best": taggings, "n_best_probability": torch.tensor([[0.5, 0.25], [1.0, 0.0]])}
    found = identified(rows(Task(), more, WORDS))
    assert found[1]["n_best"] == [{"prediction": ["B-city"], "probability": 1.0}]  # there are no more
    lines = [line.split() for line in render(found, "table").splitlines()]
    assert lines[0] == ["id", "prediction", "rank", "probability"]
    assert lines[2] == ["a.txt:1", "to/O", "New/B-city", "York/B-city", "2", "0.2500"]
    assert [line[-2:] for line in lines[1:]] == [["1", "0.5000"], ["2", "0.2500"], ["1", "1.0000"]]
    table = list(csv.DictReader(io.StringIO(render(found, "csv"))))
    assert [(row["rank"], row["tag"], row["probability"]) for row in table[3:]] == [
        ("2", "O", "0.250000"),
        ("2", "B-city", "0.250000"),
        ("2", "B-city", "0.250000"),
        ("1", "B-city", "1.000000"),
    ]


@pytest.fixture(scope="module")
def tagger(tmp_path_factory):
    """Words are tagged by what they are, so that a few epochs are enough."""
    place = tmp_path_factory.mktemp("tagger")
    towns = ("Rome", "Oslo", "Lima")
    lines = [f"from {towns[n % 3]} to {towns[n % 2]} at {n % 5}\tO B-from O B-to O B-time" for n in range(80)]
    (place / "sentences.txt").write_text("\n".join(lines) + "\n")
    words = ["data=tagged_file", f"data.path={place / 'sentences.txt'}", "model=lstm", "model.hidden_size=16"]
    words += ["trainer.max_epochs=6", "optim.lr=0.02", "output=crf", "logger=none", f"outputs={place / 'outputs'}"]
    assert main(["train", *words]) == 0
    return (place / "outputs" / "latest").resolve()


def test_a_run_of_tags_leaves_what_others_leave(tagger):
    summary = json.loads((tagger / "summary.json").read_text())
    assert summary["monitor"] == "val/f1"
    assert summary["baseline"] == "word's tag"
    assert summary["test/f1"] == 1
    assert (tagger / "figures" / "tags.png").is_file()
    assert json.loads((tagger / "data.json").read_text())["label"]["kind"] == "tags"


def test_a_tagger_is_asked_from_python(tagger):
    (row,) = load(tagger).predict(["from Oslo to Rome at 3"])
    assert row["tokens"] == ["from", "Oslo", "to", "Rome", "at", "3"]
    assert row["prediction"] == ["O", "B-from", "O", "B-to", "O", "B-time"]
    assert 0 < row["probability"] <= min(row["probabilities"]) + 1e-6


def test_a_tagger_is_asked_for_several(tagger, capsys):
    (alone,) = load(tagger).predict("from Oslo to Rome")
    (row,) = load(tagger).predict("from Oslo to Rome", n_best=4)
    several = row.pop("n_best")
    assert row == alone
    assert several[0] == {"prediction": row["prediction"], "probability": pytest.approx(row["probability"])}
    sure = [one["probability"] for one in several]
    assert sure == sorted(sure, reverse=True)
    assert sum(sure) <= 1 + 1e-6
    assert len({tuple(one["prediction"]) for one in several}) == 4
    capsys.readouterr()
    assert main(["predict", str(tagger), "from Oslo", "Rome", "--n-best", "2"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 5
    assert main(["predict", str(tagger), "Rome", "--n-best", "0"]) == 2
    assert "--n-best 0" in capsys.readouterr().err


def test_several_answers_of_what_has_no_tags_are_refused(digits_run):
    with pytest.raises(ConfigError, match="--n-best 2 is of taggings"):
        load(digits_run.folder).predict([], n_best=2)


def test_evaluating_again_gives_the_scores_of_the_run(tagger, capsys):
    assert main(["evaluate", str(tagger)]) == 0
    said = dict(line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("test/"))
    summary = json.loads((tagger / "summary.json").read_text())
    assert said == {name: f"{value:.4f}" for name, value in summary.items() if name.startswith("test/")}


def test_evaluating_without_a_feature_that_it_reads_is_said(tmp_path, capsys):
    for name, pos in (("with", (" N", " X")), ("without", ("", ""))):
        text = "".join(f"from{pos[0]} O\nrome{n}{pos[1]} B-a\n\n" for n in range(60))
        (tmp_path / f"{name}.conll").write_text(text)
    words = ["data=tagged_file", f"data.path={tmp_path / 'with.conll'}", "data.features=[pos:2]", "model=lstm"]
    assert main(["train", *words, "debug=fast", "logger=none", f"outputs={tmp_path / 'outputs'}"]) == 0
    (run,) = (path.parent for path in tmp_path.glob("outputs/*/*-lstm-*/artifact"))
    capsys.readouterr()
    assert main(["evaluate", str(run), "data=tagged_file", f"data.path={tmp_path / 'without.conll'}"]) == 0
    assert "pos is not known: its words are read without it" in capsys.readouterr().err.splitlines()


def test_a_tagger_is_reviewed(tagger):
    assert main(["review", str(tagger)]) == 0
    assert "Each type" in (tagger / "review.html").read_text()

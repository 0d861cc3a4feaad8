"""What the review says of a run of tags, against the published rules of spans and against counting by hand."""

from __future__ import annotations

import json
import random
from types import SimpleNamespace

import pytest

from assay.review import tags
from assay.review.comparison import answers
from assay.review.facts import Prediction, read
from assay.review.run_page import page
from tests.references import conlleval
from tests.review import run_folders
from tests.review.run_folders import EVIL
from tests.review.test_run_page import sound

NAMES = ("O", "B-from", "I-from", "B-to", "I-to")
SCORES = {
    "monitor": "val/f1",
    "baseline": "word's tag",
    **{"test/f1": 0.9, "test/accuracy": 0.97, "test/sentence_accuracy": 0.8, "test/log_loss": 0.1},
    **{"baseline/f1": 0.3, "baseline/accuracy": 0.5, "train/f1": 0.99},
}


def rows(count=120, names=NAMES, right=0.9, seed=0):
    source = random.Random(seed)
    found = []
    for number in range(count):
        target = [source.choice(names) for _ in range(source.randint(1, 9))]
        answer = [tag if source.random() < right else source.choice(names) for tag in target]
        found.append((number, " ".join(target), " ".join(answer), f"{source.random():.6f}", f"{source.random():.6g}"))
    return found


def predictions(made):
    return [Prediction(str(one), target, answer, float(p), float(loss)) for one, target, answer, p, loss in made]


def test_spans_of_each_type_by_the_published_rules():
    made = rows()
    found = tags.by_type(predictions(made), NAMES)
    expected = conlleval.count([row[1].split() for row in made], [row[2].split() for row in made])
    assert found.names == ("from", "to")
    for kind in found.names:
        assert (found.of(kind).there, found.of(kind).found, found.of(kind).right) == expected[kind]


def test_tags_that_mark_no_spans_are_counted_one_by_one():
    found = tags.by_type([Prediction("1", "NN VB NN", "NN NN NN", 0.5, 1.0)], ("NN", "VB"))
    counts = [(found.of(name).there, found.of(name).found, found.of(name).right) for name in ("NN", "VB")]
    assert counts == [(2, 3, 2), (1, 0, 0)]


def test_a_tag_that_no_card_names_gets_its_place():
    label, answered, names = tags.codes([Prediction("1", "O B-x", "O B-y", 0.5, 1.0)], ("O", "B-x"))
    assert (names, label.tolist(), answered.tolist()) == (["O", "B-x", "B-y"], [[0, 1]], [[0, 2]])


def test_intervals_hold_the_scores_and_narrow_with_the_number_of_sentences():
    few, many = (predictions(rows(count)) for count in (60, 960))
    wide, narrow = (tags.intervals(made, NAMES) for made in (few, many))
    assert list(wide) == ["f1", "precision", "recall", "accuracy", "sentence_accuracy", "log_loss"]
    overall = tags.by_type(many, NAMES).overall
    assert narrow["f1"].low < overall.f1 < narrow["f1"].high
    for name, one in wide.items():
        ratio = (one.high - one.low) / (narrow[name].high - narrow[name].low)
        assert 2.5 < ratio < 6.5, name  # √16


def test_parts_of_speech_have_no_interval_of_f1():
    assert "f1" not in tags.intervals(predictions(rows(30, ("NN", "VB"))), ("NN", "VB"))


def folder(place, made=None, hardest=None, names=NAMES, **summary):
    made = rows() if made is None else made
    where = run_folders.make(place, rows=made, names=names, **(SCORES | summary))
    card = run_folders.card("tags", names, len(made))
    counts = [500, 40, 30, 20, 10, *[1] * len(names)][: len(names)]
    card["label"]["splits"] = {"train": counts, "test": counts}
    run_folders.write(where / "data.json", card)
    if hardest is not None:
        run_folders.write(where / "predictions" / "hardest.json", {"format": 1, "examples": hardest})
    return where


def test_the_page_of_a_run_of_tags(tmp_path):
    worst = {
        "id": 7,
        "target": "O B-from I-from",
        "prediction": "O B-from B-to",
        "probability": 0.25,
        "loss": 3.0,
        "text": "out of town",
        "tokens": ["out", EVIL, "york"],
    }
    text = page(read(folder(tmp_path, hardest=[worst])))
    said = sound(text).text
    assert "Each type of span" in said
    assert "120 sentences" in said
    assert "Most confused tags" in said
    assert "each word's commonest tag in training" in said
    assert "one of 5 tags for each word" in said
    assert "500 (83.3 %)" in said  # of the words, not of the sentences
    assert "york I-from, not B-to" in said
    assert "1 of 3 tags wrong" in said
    assert EVIL not in text
    assert "Calibration" not in said


def test_a_page_without_words_or_with_tags_of_speech(tmp_path):
    worst = {"id": 7, "target": "NN VB", "prediction": "NN NN", "loss": 3.0}
    made = rows(40, ("NN", "VB"))
    said = sound(page(read(folder(tmp_path, made, [worst], ("NN", "VB"), monitor="val/accuracy")))).text
    assert "Each tag" in said
    assert "· VB, not NN" in said


def test_many_types_of_spans_are_folded(tmp_path):
    names = ("O", *(f"B-type{number}" for number in range(126)))
    said = sound(page(read(folder(tmp_path, rows(300, names), names=names)))).text
    assert "worst of 126 by F1" in said


def test_many_runs_of_tags_pool_their_spans(tmp_path):
    first, second = folder(tmp_path / "0", rows(seed=1)), folder(tmp_path / "1", rows(seed=1, right=0.5))
    cells = [SimpleNamespace(runs=[SimpleNamespace(folder=one)]) for one in (first, second)]
    found = answers.read(cells, [0, 1])
    assert (found.kind, found.names) == ("tags", ["from", "to"])
    assert found.classes[0].matrix is None
    counts = tags.by_type(predictions(rows(seed=1)), NAMES)
    assert found.classes[0].hits.tolist() == counts.right.tolist()
    assert found.classes[1].hits.sum() < found.classes[0].hits.sum()
    assert json.loads((first / "data.json").read_text())["label"]["kind"] == "tags"


@pytest.mark.parametrize("broken", ["", "O O O O O O O O O O"])
def test_a_row_with_other_numbers_of_tags_is_no_error(broken):
    assert tags.by_type([Prediction("1", "O B-to", broken, 0.5, 1.0)], NAMES).overall.there == 1

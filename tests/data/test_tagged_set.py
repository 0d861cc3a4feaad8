"""What every set of tagged sentences does: fields, splits, notes, and the feature of a tagger."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from assay.data.preprocessing.tagger import Tagger
from assay.data.tagged import Tagged
from assay.data.tagged_set import TaggedSet, digest, joined, unseen


def made(words, tags, intents=None, features=None, path="a"):
    words = [row.split() for row in words]
    lines = [[number] * len(row) for number, row in enumerate(words, 1)]
    split = {name: [row.split() for row in rows] for name, rows in (features or {}).items()}
    return Tagged(path, words, [row.split() for row in tags], lines, split, intents)


def dataset(held, **keys):
    settings = {"lowercase": False, "digits": "keep", "min_count": 1, "tagger": None, "batch_size": 4, "epochs": 2}
    return TaggedSet(lambda: (held, ["read"]), "test", "ours", **{**settings, **keys})


TRAIN = made(["a b", "c", "a", "b a"] * 5, ["O B-x", "O", "B-y", "O I-x"] * 5, ["p", "q", "p", "q"] * 5)
HELD = {"train": TRAIN, "val": made(["a d"], ["O B-z"], ["r"]), "test": made(["b", "b a"], ["O", "O O"], ["p", "q"])}


def test_fields_and_batches():
    found = dataset(HELD)
    found.setup()
    assert list(found.spec.fields) == ["source", "label", "intent", "characters"]
    label, intent = found.spec.label, found.spec.fields["intent"]
    assert (label.kind, label.padding_id, label.shape) == ("tags", -1, (None,))
    assert label.names == ("O", "B-x", "I-x", "B-y", "B-z")
    assert (intent.kind, intent.names) == ("class", ("p", "q", "r"))
    batch = found.splits["test"].gather(torch.arange(2))
    assert batch["label"].tolist() == [[0, -1], [0, 0]]
    assert batch["source"].shape == batch["characters"].shape[:2] == (2, 2)
    assert batch["intent"].tolist() == [0, 1]
    assert found.notes[0] == "read"
    assert "1 tag of the val split is not in training: B-z" in found.notes
    assert "1 of 2 test examples are copies of training examples" in found.notes


def test_the_digest_is_of_all_that_is_learnt_from():
    whole = joined(list(HELD.values()))
    assert digest(whole) == digest(joined(list(HELD.values())))
    others = [
        made(["a b"], ["O O"]),
        made(["ab"], ["O"]),
        made(["a", "b"], ["O", "O"]),
        made(["a b"], ["O B-x"]),
        made(["a b"], ["O O"], ["p"]),
        made(["a b"], ["O O"], None, {"pos": ["N N"]}),
        made(["a b"], ["O O"], None, {"pos": ["N V"]}),
        made(["a b"], ["O O"], None, {"tag": ["N N"]}),
    ]
    assert len({digest(one) for one in others}) == len(others)
    assert digest(others[0]) == digest(made(["a b"], ["O O"], path="elsewhere"))


def test_unseen_tags_are_said():
    whole = joined(list(HELD.values()))
    positions = {"train": torch.arange(20), "val": torch.tensor([20]), "test": torch.tensor([21, 22])}
    assert unseen(whole, positions) == [
        "1 tag of the val split is not in training: B-z",
        "1 intent of the val split is not in training: r",
    ]


class Given(Tagger):
    """Tags a word by its own letters, as a stand-in for a trained run."""

    def __init__(self) -> None:
        self.run, self.name, self.digest = "runs/tagger", "tagger", "0" * 64
        self.asked: list[list[str]] = []

    def __call__(self, sentences):
        self.asked += [list(words) for words in sentences]
        return [[f"T-{word}" for word in words] for words in sentences]

    @property
    def trained_on(self) -> str:
        return "atis"

    def folder(self) -> Path:
        return Path("runs/tagger/artifact")


@pytest.fixture
def tagged(monkeypatch):
    given = Given()
    monkeypatch.setattr("assay.data.tagged_set.Tagger", lambda run: given)
    found = dataset(HELD, tagger="runs/tagger")
    found.setup()
    return found, given


def test_a_tagger_makes_a_feature(tagged):
    found, given = tagged
    field = found.spec.fields["tagger"]
    assert (field.kind, set(field.names[2:])) == ("feature", {"T-a", "T-b", "T-c"})
    assert len(given.asked) == 23  # each sentence once
    batch = found.splits["train"].gather(torch.arange(20))
    for ids, tags in zip(batch["source"].tolist(), batch["tagger"].tolist(), strict=True):
        assert [f"T-{found.spec.source.names[i]}" for i in ids if i] == [field.names[i] for i in tags if i]
    held = found.splits["val"].gather(torch.arange(1))
    assert held["tagger"].tolist() == [[field.names.index("T-a"), 1]]  # T-d is not in training
    assert any(
        note.startswith("the tags of runs/tagger, trained on atis, are the feature tagger") for note in found.notes
    )


def test_raw_words_are_tagged_in_prediction(tagged):
    found, given = tagged
    given.asked.clear()
    columns = found.preprocessing(["b a", {"words": ["a"], "tagger": ["T-c"]}])
    assert given.asked == [["b", "a"]]  # the other one says it itself
    names = found.spec.fields["tagger"].names
    rows = columns["tagger"].gather(torch.arange(2)).tolist()
    assert [[names[i] for i in row if i] for row in rows] == [["T-b", "T-a"], ["T-c"]]
    assert found.preprocessing.within == {"tagger": Path("runs/tagger/artifact")}
    assert found.preprocessing.to_json()["tagger"] == {"run": "runs/tagger", "name": "tagger", "digest": "0" * 64}
    assert found.preprocessing.to_json()["features"] == []

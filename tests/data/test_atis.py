"""ATIS as its option gives it, against the files read anew."""

from __future__ import annotations

import torch

from tests import covers
from tests.data.published import ready


def lines(split, name):
    return (covers.DATA / "atis" / split / name).read_text(encoding="utf-8").splitlines()


def test_every_query_has_its_words_slots_and_intent():
    dataset = ready("atis")
    label, intent, source = (dataset.spec.fields[name] for name in ("label", "intent", "source"))
    vocabulary = set(source.names)
    start = 0
    for split, folder in (("train", "train"), ("val", "dev"), ("test", "test")):
        words, slots, intents = (lines(folder, name) for name in ("seq.in", "seq.out", "label"))
        examples = dataset.splits[split]
        assert examples.index.tolist() == list(range(start, start + len(words)))
        start += len(words)
        batch = examples.gather(torch.arange(len(examples)))
        for row, text in enumerate(words):
            forms = ["".join("0" if letter in "0123456789" else letter for letter in word) for word in text.split()]
            known = [form if form in vocabulary else "<unk>" for form in forms]
            ids, tags = batch["source"][row], batch["label"][row]
            assert [source.names[i] for i in ids[ids != 0].tolist()] == known
            assert [label.names[i] for i in tags[tags != -1].tolist()] == slots[row].split()
            assert ((ids == 0) == (tags == -1)).all()
            assert intent.names[batch["intent"][row]] == intents[row]


def test_characters_are_those_of_the_words_as_typed():
    dataset = ready("atis")
    letters = dataset.spec.fields["characters"].names
    words = lines("dev", "seq.in")
    batch = dataset.splits["val"].gather(torch.arange(40))["characters"]
    for row in range(40):
        for place, word in enumerate(words[row].split()):
            assert "".join(letters[i] for i in batch[row, place].tolist() if i) == word


def test_known_counts():
    """../shared/data/README.md: 4,478 / 500 / 893; 120 slot tags in training, 127 over all; 21 and 26 intents."""
    dataset = ready("atis")
    assert {split: len(examples) for split, examples in dataset.splits.items()} == {
        "train": 4478,
        "val": 500,
        "test": 893,
    }
    assert dataset.spec.label.size == 127
    assert dataset.spec.fields["intent"].size == 26
    train = dataset.splits["train"]
    tags = train.columns["label"].gather(train.index)
    assert len(torch.unique(tags[tags >= 0])) == 120
    assert len(torch.unique(train.column("intent"))) == 21
    assert int((tags >= 0).sum()) == 50497
    listed = set((covers.DATA / "atis" / "slot_label.txt").read_text().split()) - {"PAD", "UNK"}  # of training
    assert {dataset.spec.label.names[i] for i in torch.unique(tags[tags >= 0]).tolist()} == listed
    assert dataset.spec.label.names[0] == "O"
    assert any("6 tags of the test split are not in training: B-booking_class" in note for note in dataset.notes)
    assert any(note.startswith("4 intents of the test split are not in training") for note in dataset.notes)
    assert dataset.digest.startswith("185591cf")  # of its contents: stays


def test_the_vocabulary_is_of_training():
    source = ready("atis").spec.source
    training = {
        "".join("0" if letter.isdigit() else letter for letter in word)
        for text in lines("train", "seq.in")
        for word in text.split()
    }
    assert set(source.names[2:]) == training
    kept = ready("atis", "data.digits=keep").spec.source
    assert kept.size > source.size
    assert ready("atis", "data.min_count=2").spec.source.size < source.size

"""Tiny Shakespeare: nanoGPT's validation text, whole, is the test split."""

from __future__ import annotations

from tests import covers
from tests.data.published import ready


def test_splits_are_disjoint_and_the_last_tenth_is_nanogpts():
    dataset = ready("tiny_shakespeare")
    text = (covers.DATA / "tinyshakespeare" / "input.txt").read_text()
    parts = []
    for split in ("val", "train", "test"):
        label = dataset.splits[split].column("label")
        parts.append(dataset.preprocessing.decode(label[label >= 0].tolist()))
    assert "".join(parts) == text
    assert parts[2] == text[int(len(text) * 0.9) :]  # data[int(n*0.9):] in nanoGPT's prepare.py
    assert list(map(len, parts)) == [55_769, 948_085, 111_540]
    assert dataset.counts["train"]["types"] == 65
    assert dataset.spec.source.size == 67
    assert dataset.counts["test"]["unknown"] == 0


def test_windows_are_shuffled_and_states_never_carried():
    dataset = ready("tiny_shakespeare")
    assert (dataset.ordered, dataset.evaluation_batch_size) == (False, None)
    assert all(examples.column("fresh").all() for examples in dataset.splits.values())
    assert any("nanoGPT" in note for note in dataset.notes)


def test_a_sliding_window_scores_every_character_once_too():
    dataset = ready("tiny_shakespeare", "data.stride=16")
    label = dataset.splits["val"].column("label")
    assert int((label >= 0).sum()) == 55_769
    assert ((label >= 0).sum(1)[1:] <= 16).all()

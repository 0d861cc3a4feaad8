"""TREC as its option gives it, against the two files read anew."""

from __future__ import annotations

import collections

import pytest

from assay.data.tokenizers.word import Word
from assay.data.trec import trec
from assay.errors import ConfigError
from assay.preflight import compose
from tests import covers
from tests.data.published import counts, ready, texts_by_number
from tests.references.published import labelled


@pytest.mark.parametrize("classes", [6, 50])
def test_every_question_has_its_class(classes):
    dataset = ready("trec", f"data.classes={classes}")
    folder = covers.DATA / "trec"
    rows = [row for name in ("train.txt", "test.txt") for row in labelled(folder / name, "latin-1")]
    coarse = dict(zip(("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM"), dataset.spec.label.names, strict=False))
    found = texts_by_number(dataset)
    assert len(found) == len(rows) == 5952
    vocabulary = set(dataset.spec.source.names)
    for number, (label, text) in enumerate(rows):
        expected = [token if token in vocabulary else "<unk>" for token in Word().tokens(text)]
        assert found[number] == (" ".join(expected), label if classes == 50 else coarse[label.split(":")[0]])
    assert dataset.splits["test"].index.tolist() == list(range(5452, 5952))


def test_known_counts():
    """Li and Roth 2002: 5,452 and 500 questions."""
    held = counts(ready("trec", "data.classes=6"))
    assert [sum(held[split]) for split in ("train", "val", "test")] == [4907, 545, 500]
    assert [a + b for a, b in zip(held["train"], held["val"], strict=True)] == [86, 1162, 1250, 1223, 835, 896]
    assert held["test"] == [9, 138, 94, 65, 81, 113]
    fine = counts(ready("trec", "data.classes=50"))
    assert len(fine["train"]) == 50
    assert sum(count > 0 for count in fine["test"]) == 42
    assert ready("trec", "data.classes=6").digest.startswith("4756dbd9f7d0404d")  # of its contents: stays


def test_copies_do_not_straddle_training_and_validation():
    dataset = ready("trec", "data.classes=6")
    rows = labelled(covers.DATA / "trec" / "train.txt", "latin-1")
    where = collections.defaultdict(set)
    for split in ("train", "val"):
        for number in dataset.splits[split].index.tolist():
            where[rows[number][1]].add(split)
    assert all(len(splits) == 1 for splits in where.values())


def test_other_numbers_of_classes_are_refused():
    with pytest.raises(ConfigError, match=r"data\.classes=7 is neither 6 \(coarse\) nor 50 \(fine\)"):
        trec("data", Word(), classes=7)
    with pytest.raises(ConfigError, match=r"classes"):
        compose(("data=trec", "data.classes=7", *covers.DOWNLOADS))

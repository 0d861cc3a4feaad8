"""MR as its option gives it, against the two files read anew; its ten folds."""

from __future__ import annotations

import collections

import pytest

from assay.data.tokenizers.word import Word
from assay.errors import ConfigError
from assay.preflight import compose
from tests import covers
from tests.data.published import counts, ready, texts_by_number


def sentences() -> list[tuple[str, str]]:
    rows = []
    for sign, name in (("neg", "negative"), ("pos", "positive")):
        with open(covers.DATA / "rt-polarity" / f"rt-polarity.{sign}", encoding="latin-1", newline="\n") as file:
            rows += [(line.strip(), name) for line in file]
    return rows


def test_every_sentence_has_its_class():
    dataset = ready("mr", "fold=0")
    rows, found, vocabulary = sentences(), texts_by_number(dataset), set(dataset.spec.source.names)
    assert len(found) == len(rows) == 10662
    for number, (text, name) in enumerate(rows):
        tokens = [token if token in vocabulary else "<unk>" for token in Word().tokens(text)]
        assert found[number] == (" ".join(tokens), name)
    held = counts(dataset)
    assert [sum(held[split]) for split in ("train", "val", "test")] == [8635, 960, 1067]
    assert [sum(held[split][place] for split in held) for place in (0, 1)] == [5331, 5331]
    assert dataset.digest.startswith("ce53fa0df2d8c73d")  # of its contents: the same for every fold


def test_folds_are_disjoint_and_of_one_contents():
    first, second = ready("mr", "fold=0"), ready("mr", "fold=9")
    a, b = (set(dataset.splits["test"].index.tolist()) for dataset in (first, second))
    assert not a & b
    assert first.digest == second.digest


def test_a_fold_that_is_not_there_is_refused():
    if not covers.at_hand("mr"):
        pytest.skip("the files of data=mr are not at hand (ASSAY_DATA or ../shared/data)")
    with pytest.raises(ConfigError, match=r"^fold=10 is none of 0 to 9"):
        compose(("data=mr", "fold=10", *covers.DOWNLOADS))


def test_copies_of_a_sentence_lie_in_one_split():
    dataset = ready("mr", "fold=0")
    rows, where = sentences(), collections.defaultdict(set)
    for split, examples in dataset.splits.items():
        for number in examples.index.tolist():
            where[rows[number][0]].add(split)
    assert all(len(splits) == 1 for splits in where.values())

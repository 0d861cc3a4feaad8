"""Spans are counted as conlleval counts them, of any sequence of tags, legal or not."""

from __future__ import annotations

import random

import pytest
import torch

from assay.metrics.spans import Spans, has_spans, parted, tag_accuracy
from tests.references import conlleval

NAMES = ("O", *(f"{prefix}-{kind}" for kind in ("NP", "VP", "x-y") for prefix in "BIES"))


def padded(sentences, names):
    longest = max(map(len, sentences))
    rows = [[names.index(tag) for tag in tags] + [-1] * (longest - len(tags)) for tags in sentences]
    return torch.tensor(rows)


def counted(targets, predictions, names=NAMES):
    counts = Spans(names).count(padded(targets, names), padded(predictions, names))
    found = {kind: (counts.of(kind).there, counts.of(kind).found, counts.of(kind).right) for kind in counts.names}
    return counts, {kind: three for kind, three in found.items() if any(three)}


# targets, predictions, {type: (there, found, right)}: worked out by hand
CASES = [
    ("B-NP I-NP O", "B-NP I-NP O", {"NP": (1, 1, 1)}),
    ("B-NP I-NP B-NP", "B-NP I-NP I-NP", {"NP": (2, 1, 0)}),  # adjacent spans
    ("O I-NP I-NP", "O B-NP I-NP", {"NP": (1, 1, 1)}),  # I after O begins one
    ("B-NP I-VP I-VP", "B-NP B-VP I-VP", {"NP": (1, 1, 1), "VP": (1, 1, 1)}),  # so does another type
    ("I-NP I-NP B-NP", "I-NP I-NP B-NP", {"NP": (2, 2, 2)}),  # IOB1: B between neighbours of one type
    ("B-NP I-NP", "B-NP O", {"NP": (1, 1, 0)}),  # at the end of a sentence
    ("O O", "O B-VP", {"VP": (0, 1, 0)}),
    ("B-NP E-NP S-NP", "B-NP E-NP S-NP", {"NP": (2, 2, 2)}),
    ("B-NP E-NP I-NP E-NP", "B-NP I-NP B-NP E-NP", {"NP": (2, 2, 2)}),
    ("S-NP S-NP O", "B-NP B-NP O", {"NP": (2, 2, 2)}),
    ("B-NP I-NP I-NP", "B-NP I-NP O", {"NP": (1, 1, 0)}),
    ("B-NP I-NP", "B-VP I-VP", {"NP": (1, 0, 0), "VP": (0, 1, 0)}),
]


@pytest.mark.parametrize(("target", "prediction", "expected"), CASES)
def test_cases_by_hand(target, prediction, expected):
    assert counted([target.split()], [prediction.split()])[1] == expected
    assert conlleval.count([target.split()], [prediction.split()]) == expected


def of_random_tags(seed, sentences=60):
    generator = random.Random(seed)
    targets = [[generator.choice(NAMES) for _ in range(generator.randint(1, 12))] for _ in range(sentences)]
    predictions = [[tag if generator.random() < 0.7 else generator.choice(NAMES) for tag in row] for row in targets]
    return targets, predictions


@pytest.mark.parametrize("seed", range(8))
def test_any_sequence_counts_as_the_published_rules_have_it(seed):
    targets, predictions = of_random_tags(seed)
    assert counted(targets, predictions)[1] == conlleval.count(targets, predictions)


@pytest.mark.parametrize("seed", range(3))
def test_as_seqeval(seed):
    seqeval = pytest.importorskip("seqeval.metrics", reason="seqeval is not installed")
    targets, predictions = of_random_tags(seed)
    overall = counted(targets, predictions)[0].overall
    assert overall.f1 == pytest.approx(seqeval.f1_score(targets, predictions))
    assert overall.precision == pytest.approx(seqeval.precision_score(targets, predictions))
    assert overall.recall == pytest.approx(seqeval.recall_score(targets, predictions))


def test_overall_is_the_micro_average():
    counts = counted([["B-NP", "O", "B-VP", "I-VP"]], [["B-NP", "B-NP", "B-VP", "O"]])[0]
    overall = counts.overall
    assert (overall.there, overall.found, overall.right) == (2, 3, 1)
    assert (overall.precision, overall.recall, overall.f1) == (1 / 3, 1 / 2, pytest.approx(0.4))
    assert counts.of("NP").f1 == pytest.approx(2 / 3)
    assert counts.of("VP").f1 == 0


def test_nothing_there_and_nothing_found_is_no_division():
    overall = counted([["O"]], [["O"]])[0].overall
    assert (overall.precision, overall.recall, overall.f1) == (0.0, 0.0, 0.0)


def test_padding_is_no_tag_and_rows_do_not_touch():
    """A span ends with its row, and a prediction where there is no target says nothing."""
    label = torch.tensor([[1, 2, -1], [2, 2, 0]])
    prediction = torch.tensor([[1, 2, 2], [2, 2, -1]])
    counts = Spans(("O", "B-NP", "I-NP")).count(label, prediction)
    assert (counts.overall.there, counts.overall.found, counts.overall.right) == (2, 2, 2)


def test_spans_are_given_in_order():
    row, first, last, kind = Spans(("O", "B-NP", "I-NP", "B-VP"))(torch.tensor([[1, 2, 3], [0, 1, -1]]))
    assert (row.tolist(), first.tolist(), last.tolist(), kind.tolist()) == ([0, 0, 1], [0, 2, 1], [1, 2, 1], [0, 1, 0])


def test_which_tags_mark_spans():
    assert all(map(has_spans, [("O", "B-NP"), ("O", "B", "I"), ("I-NP",)]))
    assert not any(map(has_spans, [("O",), ("NN", "-LRB-", "I", "PRP$", "X-Y")]))
    assert [prefix for prefix, _ in parted(("B-a", "M-a", "L-a", "U-a"))] == [1, 2, 3, 4]  # BILOU, BMES
    assert Spans(("O", "B", "I")).types == ("span",)


def test_accuracy_of_tags_by_row():
    tags, right = tag_accuracy(torch.tensor([[1, 2, -1], [0, 0, 0]]), torch.tensor([[1, 0, -1], [0, 0, 3]]))
    assert (tags.tolist(), right.tolist()) == ([2, 3], [1, 2])

"""The trivial tagger counts what training has."""

from __future__ import annotations

import torch

from assay.data.examples import Examples, Ragged
from assay.tasks.commonest_tags import commonest_tags


def train(words, tags):
    columns = {"source": Ragged.join(words, 0), "label": Ragged.join(tags, -1)}
    return Examples(columns, torch.arange(len(words)))


SENTENCES = ([[2, 3, 4], [2, 3], [3, 5, 5]], [[1, 0, 2], [1, 2], [0, 2, 1]])
"""Word 2 is always 1; 3 twice 0, once 2; 4 is 2; 5 once 2 and once 1. Of all: 0 twice, 1 three times, 2 three times."""


def test_each_word_gets_its_commonest_tag_and_an_unknown_one_that_of_all():
    words = torch.tensor([[2, 3, 4, 5], [1, 9, 3, -1]])
    label = torch.tensor([[0, 0, 0, 0], [0, 0, 0, -1]])
    name, tags = commonest_tags(train(*SENTENCES), label, words, 3)
    assert name == "word's tag"
    assert tags.tolist() == [[1, 0, 2, 1], [1, 1, 0, -1]]  # of equals the first


def test_without_words_the_commonest_of_all():
    name, tags = commonest_tags(train(*SENTENCES), torch.tensor([[0, 2, -1]]), None, 3)
    assert (name, tags.tolist()) == ("majority", [[1, 1, -1]])


def test_many_sentences_are_counted_in_blocks():
    words, tags = [[2]] * 2000 + [[2, 3]] * 1500, [[0]] * 2000 + [[1, 1]] * 1500
    _, found = commonest_tags(train(words, tags), torch.tensor([[0, 0]]), torch.tensor([[2, 3]]), 2)
    assert found.tolist() == [[0, 1]]

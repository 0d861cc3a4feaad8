"""Bag against a loop over tokens and n-grams, and torch.nn.EmbeddingBag."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from assay.errors import ConfigError
from assay.models.bag import Bag
from tests.references.ngrams import buckets_of

X = torch.tensor([[3, 1, 3, 0], [2, 0, 0, 0], [0, 0, 0, 0], [4, 4, 1, 2]])


def bag(ngrams=1, buckets=7):
    return Bag((None,), 6, ngrams, buckets, 0.0, vocabulary_size=5, padding_id=0)


@pytest.mark.parametrize("ngrams", [1, 2, 3])
def test_against_a_loop(ngrams):
    model = bag(ngrams).double()
    last = model(X, X != 0).last
    table = model.embedding.weight.detach().numpy()
    for row, text in zip(last.detach().numpy(), X.tolist(), strict=True):
        ids = [token for token in text if token != 0]
        vectors = [table[token] for token in ids] + [table[5 + bucket] for bucket in buckets_of(ids, ngrams, 7)]
        np.testing.assert_allclose(row, sum(vectors) / len(vectors) if vectors else np.zeros(6), atol=1e-12)


def test_words_alone_are_embedding_bag():
    model = bag().double()
    reference = nn.EmbeddingBag(5, 6, mode="mean", padding_idx=0).double()
    reference.load_state_dict(model.embedding.state_dict())
    torch.testing.assert_close(model(X, X != 0).last, reference(X))


@pytest.mark.parametrize("ngrams", [1, 2])
def test_columns_of_padding_change_nothing(ngrams):
    model = bag(ngrams).double()
    longer = nn.functional.pad(X, (0, 4))
    torch.testing.assert_close(model(longer, longer != 0).last, model(X, X != 0).last)


def test_the_order_of_words_shows_in_bigrams_only():
    one, other = torch.tensor([[1, 2, 3]]), torch.tensor([[3, 2, 1]])
    assert torch.allclose(*same(1, one, other))
    assert not torch.allclose(*same(2, one, other))


def same(ngrams, one, other):
    model = bag(ngrams, 1000)
    return model(one).last, model(other).last


def test_vectors_start_as_fasttext_has_them():
    model = Bag((None,), 10, 2, 5000, 0.0, vocabulary_size=500, padding_id=0)
    weight = model.embedding.weight.detach()
    assert not weight[0].any()
    assert weight.abs().max() <= 0.1
    assert weight[1:].std() == pytest.approx(0.1 / 3**0.5, rel=0.02)


def test_padding_stays_zero_in_training():
    model = bag()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    model(X).last.sum().backward()  # without a mask padding counts as a position, and still learns nothing
    optimizer.step()
    assert not model.embedding.weight[0].any()


@pytest.mark.parametrize(("ngrams", "buckets"), [(0, 5), (2, 0)])
def test_counts_below_one_are_refused(ngrams, buckets):
    with pytest.raises(ConfigError, match="are counts from 1"):
        bag(ngrams, buckets)

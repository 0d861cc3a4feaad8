"""Buckets against a loop in plain integers; padding makes no n-gram."""

from __future__ import annotations

import pytest
import torch

from assay.layers.ngrams import HashedNgrams
from tests.references.ngrams import buckets_of, word_hash


@pytest.mark.parametrize("longest", [2, 3, 5])
def test_against_a_loop(longest):
    torch.manual_seed(0)
    x = torch.randint(1, 70_000, (6, 7))
    lengths = [7, 1, 2, 0, 4, 6]
    mask = torch.arange(7) < torch.tensor(lengths)[:, None]
    found, there = HashedNgrams(70_000, longest, 1009)(x, mask)
    assert found.shape == there.shape
    for row, kept, ids, length in zip(found, there, x.tolist(), lengths, strict=True):
        assert row[kept].tolist() == buckets_of(ids[:length], longest, 1009)
    assert there[3].any().item() is False


def test_without_a_mask_all_is_valid_and_short_texts_have_none():
    layer = HashedNgrams(50, 4, 97)
    x = torch.tensor([[3, 9]])
    found, there = layer(x)
    assert there is None
    assert found.tolist() == [buckets_of([3, 9], 4, 97)]
    assert layer(x[:, :1])[0].shape == (1, 0)
    assert layer(x[:, :0])[0].shape == (1, 0)


def test_the_hash_is_the_published_one():
    """FNV-1a's test vector of four bytes, http://www.isthe.com/chongo/src/fnv/test_fnv.c: "foob" is 0x3f5076ef."""
    assert word_hash(int.from_bytes(b"foob", "little")) == 0x3F5076EF


def test_order_matters_and_buckets_are_spread():
    layer = HashedNgrams(300, 2, 1000)
    a, b = torch.meshgrid(torch.arange(300), torch.arange(300), indexing="ij")
    found = layer(torch.stack([a.flatten(), b.flatten()], 1))[0][:, 0]  # 90,000 bigrams in 1,000 buckets
    counts = torch.bincount(found, minlength=1000).double()
    assert (found.view(300, 300) != found.view(300, 300).T).double().mean() > 0.98
    assert ((counts - 90).square() / 90).sum() / 999 < 1.2  # chi² of a random spread is about its 999

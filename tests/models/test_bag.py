"""Bag against a loop over tokens, and torch.nn.EmbeddingBag."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from assay.models.bag import Bag

X = torch.tensor([[3, 1, 3, 0], [2, 0, 0, 0], [0, 0, 0, 0], [4, 4, 1, 2]])


def test_against_a_loop_and_embedding_bag():
    model = Bag((None,), 6, 0.0, vocabulary_size=5, padding_id=0).double()
    last = model(X, X != 0).last
    table = model.embedding.weight.detach().numpy()
    for row, text in zip(last.detach().numpy(), X.tolist(), strict=True):
        vectors = [table[token] for token in text if token != 0]
        np.testing.assert_allclose(row, sum(vectors) / len(vectors) if vectors else np.zeros(6), atol=1e-12)
    reference = nn.EmbeddingBag(5, 6, mode="mean", padding_idx=0).double()
    reference.load_state_dict(model.embedding.state_dict())
    torch.testing.assert_close(last, reference(X))


def test_padding_stays_zero_in_training():
    model = Bag((None,), 6, 0.0, vocabulary_size=5, padding_id=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    model(X).last.sum().backward()  # without a mask padding counts as a position, and still learns nothing
    optimizer.step()
    assert not model.embedding.weight[0].any()

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.contracts import Field
from assay.data.examples import Dense, Examples, Ragged
from assay.data.weights.features import features
from assay.errors import ConfigError


def rows(field: Field, column) -> np.ndarray:
    return features(field, Examples({"source": column}, torch.arange(len(column)).flip(0))).toarray()


def test_texts_are_the_words_they_hold():
    column = Ragged.join([[2, 4, 2, 1], [1], [3]], 0)
    expected = [[0, 0, 0, 1, 0], [0, 0, 0, 0, 0], [0, 0, 1, 0, 1]]  # in the order of the examples
    assert rows(Field("ids", (None,), size=5, padding_id=0), column).tolist() == expected


def test_tables_are_numbers_and_one_hot_categories():
    column = Dense(torch.tensor([[2.0, 0.5, 1.0], [0.0, -1.0, 2.0]]))
    field = Field("table", (3,), cardinalities=(4, 0, 3))  # categories a, b, c and a number and categories x, y
    assert rows(field, column).tolist() == [[-1.0, 0, 0, 0, 0, 1], [0.5, 0, 1, 0, 1, 0]]


def test_images_are_pixels_and_large_ones_averages():
    small = torch.rand(3, 1, 2, 3)
    assert np.allclose(rows(Field("image", (1, 2, 3)), Dense(small)), small.flatten(1).flip(0))
    large = torch.rand(2, 1, 64, 16)
    pooled = large.reshape(2, 32, 2, 16).mean(2)  # pairs of rows
    assert np.allclose(rows(Field("image", (1, 64, 16)), Dense(large)), pooled.flatten(1).flip(0), atol=1e-6)


def test_graphs_are_refused():
    with pytest.raises(ConfigError, match="this data holds graph: use shift=none"):
        rows(Field("graph"), Dense(torch.zeros(2)))


def test_a_table_of_categories_alone():
    field = Field("table", (2,), cardinalities=(3, 2))
    assert rows(field, Dense(torch.tensor([[1.0, 1.0], [2.0, 0.0]]))).tolist() == [[0, 1, 0], [1, 0, 1]]

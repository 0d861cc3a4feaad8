"""The nearest rows against a loop over cells and scikit-learn's KNNImputer on standardised columns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.impute import KNNImputer
from sklearn.preprocessing import StandardScaler

from assay.data.preprocessing import nearest_rows
from assay.data.preprocessing.nearest_rows import NearestRows
from assay.errors import ConfigError


def gaps(rows, columns, share, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns)) * [1, 100, 0.01, 5][:columns] + [0, 50, 3, -7][:columns]
    x[rng.random((rows, columns)) < share] = np.nan
    return x


@pytest.mark.parametrize("k", [1, 3, 5])
def test_against_scikit_learn(k):
    train, other = gaps(60, 4, 0.2, 0), gaps(20, 4, 0.2, 1)
    train[:3], other[0] = np.nan, np.nan  # rows without any value: the column's mean
    ours = NearestRows(k).fit(torch.from_numpy(train))
    scaler = StandardScaler().fit(train)
    theirs = KNNImputer(n_neighbors=k).fit(scaler.transform(train))
    for x in (train, other):
        expected = scaler.inverse_transform(theirs.transform(scaler.transform(x)))
        np.testing.assert_allclose(ours.transform(torch.from_numpy(x)).numpy(), expected, rtol=1e-9)


def by_hand(train, row, k):
    """The definition, cell by cell."""
    mean, std = np.nanmean(train, 0), np.nanstd(train, 0)
    filled = row.copy()
    for column in np.flatnonzero(np.isnan(row)):
        distances = []
        for number, other in enumerate(train):
            shared = [j for j in range(len(row)) if not np.isnan(row[j]) and not np.isnan(other[j])]
            if np.isnan(other[column]) or not shared:
                continue
            squares = sum(((row[j] - other[j]) / std[j]) ** 2 for j in shared)
            distances.append((squares * len(row) / len(shared), number))
        near = [train[number, column] for _, number in sorted(distances)[:k]]
        filled[column] = sum(near) / len(near) if near else mean[column]
    return filled


def test_against_a_loop_where_cells_are_mostly_empty():
    train, other = gaps(12, 3, 0.6, 3), gaps(30, 3, 0.6, 4)
    ours = NearestRows(4).fit(torch.from_numpy(train)).transform(torch.from_numpy(other)).numpy()
    for row, filled in zip(other, ours, strict=True):
        np.testing.assert_allclose(filled, by_hand(train, row, 4), rtol=1e-9)


def test_chunks_change_nothing(monkeypatch):
    train, other = torch.from_numpy(gaps(60, 4, 0.2, 0)), torch.from_numpy(gaps(50, 4, 0.3, 1))
    whole = NearestRows().fit(train).transform(other)
    monkeypatch.setattr(nearest_rows, "_CHUNK", 130)  # two rows at a time
    torch.testing.assert_close(NearestRows().fit(train).transform(other), whole, rtol=1e-12, atol=0)


def test_of_equal_distances_the_earlier_row_counts():
    train = torch.tensor([[0.0, 1], [0, 5], [0, 9], [3, 7]], dtype=torch.float64)
    asked = torch.tensor([[0.0, torch.nan]], dtype=torch.float64)
    assert NearestRows(1).fit(train).transform(asked).tolist() == [[0, 1]]
    assert NearestRows(2).fit(train).transform(asked).tolist() == [[0, 3]]


def test_reference_rows_are_bounded_and_evenly_spaced_over_the_split():
    train = torch.from_numpy(gaps(1000, 3, 0.1, 0))
    ours = NearestRows(3, 50).fit(train)
    assert torch.equal(ours.reference_.nan_to_num(9), train[::20].nan_to_num(9))
    torch.testing.assert_close(ours.mean_, train.nanmean(0))  # of the whole split
    small = NearestRows(3, 50).fit(train[:30])
    assert len(small.reference_) == 30


def test_values_filled_in_are_left_alone():
    x = torch.from_numpy(gaps(40, 3, 0.2, 0))
    filled = NearestRows().fit(x).transform(x)
    assert torch.equal(filled[~x.isnan()], x[~x.isnan()])
    assert not filled.isnan().any()


@pytest.mark.parametrize(("k", "rows"), [(0, 5), (6, 5)])
def test_neighbours_are_from_one_to_the_rows(k, rows):
    with pytest.raises(ConfigError, match=rf"impute\.k={k} is no number from 1 to impute\.rows={rows}"):
        NearestRows(k, rows)

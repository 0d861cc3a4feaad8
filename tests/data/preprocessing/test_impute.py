from __future__ import annotations

import json

import numpy as np
import torch
from sklearn.impute import SimpleImputer

from assay.data.preprocessing.impute import Mean, NoImputation, impute_from_json

RNG = np.random.default_rng(0)


def gaps(rows):
    x = RNG.normal(size=(rows, 3))
    x[RNG.random((rows, 3)) < 0.3] = np.nan
    return x


def test_mean_against_scikit_learn():
    train, other = gaps(40), gaps(10)
    ours, theirs = Mean().fit(torch.from_numpy(train)), SimpleImputer().fit(train)
    for x in (train, other):
        np.testing.assert_allclose(ours.transform(torch.from_numpy(x)).numpy(), theirs.transform(x), rtol=1e-12)


def test_a_column_without_any_value_becomes_zero():
    x = torch.full((3, 1), torch.nan, dtype=torch.float64)
    assert Mean().fit(x).transform(x).tolist() == [[0.0]] * 3


def test_json_brings_back_the_same_bits():
    train, other = torch.from_numpy(gaps(40)), torch.from_numpy(gaps(10))
    for impute in (Mean().fit(train), NoImputation().fit(train)):
        again = impute_from_json(json.loads(json.dumps(impute.to_json())))
        assert torch.equal(again.transform(other).nan_to_num(9), impute.transform(other).nan_to_num(9))
        assert again.fills == impute.fills

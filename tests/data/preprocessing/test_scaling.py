from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from assay.data.preprocessing.scaling import MinMax, NoScaling, Standard, scaling_from_json

RNG = np.random.default_rng(0)
TRAIN = np.column_stack([RNG.normal(5, 3, 50), RNG.exponential(size=50) * 1e6, np.full(50, 0.1), RNG.normal(size=50)])
OTHER = RNG.normal(size=(7, 4)) * 100


@pytest.mark.parametrize(("ours", "theirs"), [(Standard, StandardScaler), (MinMax, MinMaxScaler)])
def test_against_scikit_learn(ours, theirs):
    scaling, reference = ours().fit(torch.from_numpy(TRAIN)), theirs().fit(TRAIN)
    for x in (TRAIN, OTHER):
        np.testing.assert_allclose(
            scaling.transform(torch.from_numpy(x)).numpy(), reference.transform(x), rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize("kind", [NoScaling, Standard, MinMax])
def test_json_brings_back_the_same_bits(kind):
    scaling = kind().fit(torch.from_numpy(TRAIN))
    again = scaling_from_json(json.loads(json.dumps(scaling.to_json())))
    x = torch.from_numpy(OTHER)
    assert torch.equal(scaling.transform(x), again.transform(x))
    assert type(again) is kind


def test_none_changes_nothing():
    x = torch.from_numpy(OTHER)
    assert torch.equal(NoScaling().fit(x).transform(x), x)

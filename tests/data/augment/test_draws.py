from __future__ import annotations

import numpy as np
import torch
from scipy import stats

from assay.data.augment.draws import between, uniforms, whole
from assay.layers.random import mix, name_key
from tests.references.splitmix64 import uniform


def test_against_integers_of_python():
    index = torch.tensor([0, 3, 2**40, 71])
    found = uniforms(5, 2, index, "crop", 3)
    expected = [
        [uniform(mix(5, name_key("crop"), 2), (i * 4294967311 + k) % 2**64) for k in range(3)] for i in index.tolist()
    ]
    assert found.tolist() == expected


def test_a_number_depends_on_its_example_name_place_epoch_and_seed_alone():
    index = torch.arange(50) * 3
    given = uniforms(0, 1, index, "a", 8)
    assert torch.equal(uniforms(0, 1, index, "a", 3), given[:, :3])  # however many are drawn
    assert torch.equal(uniforms(0, 1, index[20:], "a", 8), given[20:])  # whatever else is in the batch
    for other in (uniforms(1, 1, index, "a", 8), uniforms(0, 2, index, "a", 8), uniforms(0, 1, index, "b", 8)):
        assert (other != given).all()


def test_they_are_uniform_and_independent():
    u = uniforms(0, 0, torch.arange(4000), "x", 5).numpy()
    assert ((u >= 0) & (u < 1)).all()
    assert all(stats.kstest(u[:, k], "uniform").pvalue > 0.001 for k in range(5))
    correlation = np.corrcoef(np.concatenate([u, np.roll(u, 1, axis=0)], axis=1).T)
    assert np.abs(correlation - np.eye(10)).max() < 0.06


def test_ranges():
    u = torch.tensor([0.0, 0.5, 1 - 2**-53], dtype=torch.float64)
    assert between(u, -2, 2).tolist()[:2] == [-2, 0]
    assert whole(u, 17).tolist() == [0, 8, 16]
    assert whole(u, torch.tensor([1, 2, 5])).tolist() == [0, 1, 4]

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from assay.contracts import DataSpec, Field
from assay.data.examples import Dense, Examples
from assay.data.weights.importance import effective_number, importance, odds
from assay.errors import ConfigError


def gaussians(count: int, shift: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.normal(0, 1, (count, 1)), generator.normal(shift, 1, (count // 2, 1))


def splits(train: np.ndarray, test: np.ndarray) -> dict[str, Examples]:
    source = torch.from_numpy(np.concatenate([train, test, test])).float()
    columns = {"source": Dense(source), "label": Dense(torch.zeros(len(source), dtype=torch.int64))}
    ends = np.cumsum([0, len(train), len(test), len(test)]).tolist()
    names = zip(("train", "test", "val"), ends, ends[1:], strict=False)
    return {name: Examples(columns, torch.arange(start, end)) for name, start, end in names}


VECTOR = DataSpec({"source": Field("vector", (1,)), "label": Field("class", (), size=1, names=("a",))})


def test_two_gaussians_have_the_ratio_of_their_densities():
    """log N(x; 1, 1) / N(x; 0, 1) = x - 1/2, which a logistic classifier can say exactly."""
    train, target = gaussians(40_000, 1.0)
    found, converged = odds(train, target, 1.0)
    assert converged
    slope, intercept = np.polyfit(train[:, 0], np.log(found), 1)
    assert slope == pytest.approx(1, abs=0.05)
    assert intercept == pytest.approx(-0.5, abs=0.05)
    assert np.average(train[:, 0] ** 2, weights=found) == pytest.approx(2, abs=0.1)  # E x² under the target


def test_odds_are_those_of_the_classifiers_probabilities():
    train, target = gaussians(400, 1.0)
    found, _ = odds(train, target, 0.3)
    model = LogisticRegression(C=0.3, max_iter=1000).fit(np.concatenate([train, target]), [0] * 400 + [1] * 200)
    p = model.predict_proba(train)
    assert np.allclose(found, p[:, 1] / p[:, 0] * 2, rtol=1e-9)


def test_weights_are_flattened_then_clipped_to_a_mean_of_one():
    train, target = gaussians(400, 1.0)
    raw, _ = odds(np.float32(train).astype(float), np.float32(target).astype(float), 1.0)
    assert np.allclose(importance(splits(train, target), VECTOR).each, raw / raw.mean())
    half = raw**0.5
    flat = importance(splits(train, target), VECTOR, flatten=0.5)
    assert np.allclose(flat.each, half / half.mean())
    cut = np.minimum(half / half.mean(), 1.5)
    clipped = importance(splits(train, target), VECTOR, flatten=0.5, clip=1.5).each
    assert np.allclose(clipped, cut / cut.mean())
    assert (importance(splits(train, target), VECTOR, flatten=0).each == 1).all()
    worth = (half.sum()) ** 2 / (half**2).sum()
    assert flat.note == f"from {flat.each.min():.3g} to {flat.each.max():.3g}, worth {worth:,.0f} equal examples"


def test_the_target_may_be_the_validation_split_and_labels_are_not_read():
    train, target = gaussians(400, 1.0)
    ours = splits(train, target)
    blind = {name: Examples({"source": split.columns["source"]}, split.index) for name, split in ours.items()}
    assert torch.equal(importance(blind, VECTOR).each, importance(ours, VECTOR, target="val").each)


def test_bits_do_not_depend_on_the_number_of_threads():
    generator = np.random.default_rng(0)
    train, test = generator.normal(size=(3000, 60)), generator.normal(0.1, 1.1, size=(2000, 60))
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(odds(train, test, 1.0)[0])
    assert np.array_equal(*found)


def test_effective_numbers():
    assert effective_number(torch.ones(7)) == 7
    assert effective_number(torch.tensor([1.0, 0.0, 0.0])) == 1


@pytest.mark.parametrize("wrong", [{"flatten": 1.5}, {"clip": 0.5}, {"c": 0.0}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match=r"shift.flatten=.* in \[0, 1\] and shift.clip"):
        importance(splits(*gaussians(20, 1.0)), VECTOR, **wrong)

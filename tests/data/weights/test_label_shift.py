from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
import torch

from assay.contracts import DataSpec, Field
from assay.data.examples import Dense, Examples
from assay.data.weights.label_shift import label_shift, ratio
from assay.errors import ConfigError


def test_the_ratio_of_an_enumerated_world_is_exact():
    """Inputs 0 to 4 with given p(x|y); a classifier that is often wrong; p(y) in training, q(y) in the target."""
    given = np.array([[0.5, 0.3, 0.1, 0.1, 0.0], [0.1, 0.1, 0.4, 0.2, 0.2], [0.0, 0.2, 0.2, 0.2, 0.4]])  # (y, x)
    answer = [0, 0, 1, 2, 2]
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.2, 0.7])
    joint, share = np.zeros((3, 3)), np.zeros(3)
    for y, x in product(range(3), range(5)):
        joint[answer[x], y] += p[y] * given[y, x]
        share[answer[x]] += q[y] * given[y, x]
    assert np.allclose(ratio(joint, share, ["a", "b", "c"]), q / p, rtol=1e-12)


def test_a_classifier_that_answers_at_random_is_refused_with_the_classes_it_confuses():
    answers = np.array([[0.8, 0.1, 0.1], [0.1, 0.45, 0.45], [0.1, 0.45, 0.45]])
    with pytest.raises(ConfigError, match="hardly tells b from c, so their shares in the target cannot be known"):
        ratio(answers / 3, np.full(3, 1 / 3), ["a", "b", "c"])


def world(train: Sequence[int], test: Sequence[int], apart: float = 2.0) -> tuple[dict[str, Examples], DataSpec]:
    """Classes on a line, ``apart`` deviations from each other; so many examples of each."""
    generator = np.random.default_rng(0)
    label = np.concatenate([np.repeat(np.arange(len(counts)), counts) for counts in (train, test)])
    source = generator.normal(label * apart, 1)[:, None]
    columns = {"source": Dense(torch.from_numpy(source).float()), "label": Dense(torch.from_numpy(label))}
    chosen = torch.arange(len(label)).split([sum(train), sum(test)])
    names = tuple("abcdef"[: len(train)])
    spec = DataSpec({"source": Field("vector", (1,)), "label": Field("class", (), size=len(train), names=names)})
    return {"train": Examples(columns, chosen[0]), "test": Examples(columns, chosen[1])}, spec


def test_shares_are_found_without_the_targets_labels():
    splits, spec = world([4000, 4000], [800, 3200])
    blind = Examples({"source": splits["test"].columns["source"]}, splits["test"].index)
    found = label_shift({**splits, "test": blind}, spec, 0)
    assert found.each[0].item() == pytest.approx(0.4, abs=0.05)
    assert found.each[-1].item() == pytest.approx(1.6, abs=0.05)
    assert float(found.each.mean()) == pytest.approx(1)
    assert torch.equal(found.each, label_shift(splits, spec, 0).each)


def test_halves_follow_the_seed():
    splits, spec = world([300, 300], [100, 200])
    one, other = (label_shift(splits, spec, seed).each for seed in (0, 1))
    assert not torch.equal(one, other)


def test_a_class_without_a_share_is_left_out_and_one_without_examples_changes_nothing():
    splits, spec = world([2000, 0, 2000], [0, 0, 1000], apart=1.0)
    found = label_shift(splits, spec, 3)
    assert found.each[0] >= 0
    if found.each[0] == 0:
        assert found.note == "a 0, c 2; 2,000 examples have none and are left out"
    assert found.each[-1].item() == pytest.approx(2, abs=0.1)


def test_negative_shares_become_zero(monkeypatch):
    splits, spec = world([200, 200], [50, 50])
    monkeypatch.setattr("assay.data.weights.label_shift.ratio", lambda *_: np.array([-0.1, 2.0]))
    found = label_shift(splits, spec, 0)
    assert found.each.tolist() == [0.0] * 200 + [2.0] * 200
    assert found.note == "a 0, b 2; 200 examples have none and are left out"


def test_classes_of_one_example_are_refused():
    splits, spec = world([30, 1], [10, 10])
    with pytest.raises(ConfigError, match="needs two training examples of every class; b has one"):
        label_shift(splits, spec, 0)
    with pytest.raises(ConfigError, match="must be above 0"):
        label_shift(splits, spec, 0, c=0.0)

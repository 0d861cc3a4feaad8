"""Thresholds of labels against the enumeration of all, each scored by scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from assay.contracts import DataSpec, Field
from assay.losses.cross_entropy import CrossEntropy
from assay.tasks.classification import Classification
from assay.tasks.thresholds import BestF1, Fixed, Half, best_f1
from tests.tasks.labelled import labelled


def enumerated(p: np.ndarray, y: np.ndarray) -> float:
    """The best F1 of one label over every cut of its probabilities."""
    cuts = [-1.0, *np.unique(p)]
    return max(f1_score(y, p > cut, zero_division=0) for cut in cuts)


@pytest.mark.parametrize("seed", range(5))
def test_no_threshold_has_a_better_f1(seed):
    generator = np.random.default_rng(seed)
    count = int(generator.integers(1, 40))
    y = (generator.random((count, 5)) < [0.02, 0.2, 0.5, 0.9, 1.0]).astype(int)
    p = np.clip(generator.normal(0.3 + 0.2 * y, 0.2).round(2), 0.01, 0.99)  # rounded: many are equal
    chosen = best_f1(torch.tensor(p), torch.tensor(y)).numpy()
    for label in range(5):
        if y[:, label].sum():
            found = f1_score(y[:, label], p[:, label] > chosen[label])
            assert found == pytest.approx(enumerated(p[:, label], y[:, label]), abs=1e-12)
        else:
            assert chosen[label] == 0.5


def test_of_equal_thresholds_the_one_nearest_to_a_half_in_the_middle_of_its_gap():
    p = torch.tensor([[0.9, 0.9], [0.7, 0.8], [0.1, 0.2], [0.05, 0.1]])
    y = torch.tensor([[1, 1], [1, 0], [0, 0], [0, 1]])
    first, second = best_f1(p, y).tolist()
    assert first == pytest.approx(0.4)  # between 0.7 and 0.1
    assert second == pytest.approx(0.85)  # F1 is 2/3 above 0.8 and below 0.1: 0.85 is nearer to a half than 0.05


def test_a_label_that_is_hardly_learnt_is_answered_above_all_it_has_seen():
    p = torch.tensor([[0.9, 0.7], [0.7, 0.6], [0.4, 0.5], [0.2, 0.1]])
    y = torch.tensor([[1, 0], [1, 0], [0, 0], [0, 1]])  # best F1: 1 and 2/5
    assert best_f1(p, y, 0.39).tolist() == pytest.approx([0.55, 0.05])
    assert best_f1(p, y, 0.41).tolist() == pytest.approx([0.55, 0.7])


def task(thresholds, size=3):
    names = tuple("abc"[:size])
    spec = DataSpec({"source": Field("vector", (4,)), "label": Field("labels", (size,), size, names=names)})
    return Classification(spec, CrossEntropy(), thresholds)


def readings(p: list[list[float]], y: list[list[int]]) -> dict[str, torch.Tensor]:
    present = torch.tensor(p)
    return {
        "index": torch.arange(len(p)),
        "label": torch.tensor(y),
        "log_probs": torch.stack([1 - present, present], -1).log(),
        "loss": torch.zeros(len(p)),
    }


VAL = readings([[0.3, 0.6, 0.2], [0.25, 0.7, 0.1], [0.1, 0.9, 0.3]], [[1, 0, 0], [1, 0, 0], [0, 1, 0]])
TEST = readings([[0.26, 0.75, 0.4], [0.1, 0.95, 0.6]], [[1, 0, 1], [0, 1, 0]])


def test_thresholds_are_chosen_once_and_score_answer_and_save():
    before = task(None).scores(TEST)
    t = task(BestF1())
    assert t.scores(TEST) == before  # one half, until they are chosen
    kept = t.settle(lambda: VAL)
    values = kept["thresholds"]["values"]
    assert values == pytest.approx([0.175, 0.8, 0.5])
    expected = (TEST["log_probs"][..., 1].exp().numpy() > values).astype(int)
    for average in ("micro", "macro"):
        score = f1_score(TEST["label"].numpy(), expected, average=average, zero_division=0)
        assert t.scores(TEST)[f"{average}_f1"] == pytest.approx(score, abs=1e-6)
    assert t.scores(TEST) != before
    assert t.scores(TEST)["log_loss"] == before["log_loss"]
    names, probabilities = t.table(TEST["log_probs"])
    assert names == ["a", "b|c"]
    assert probabilities == pytest.approx([0.26 * 0.25 * 0.6, 0.9 * 0.95 * 0.6], rel=1e-5)
    again = task(Fixed(values))  # as an artifact builds it
    assert again.scores(TEST) == t.scores(TEST)
    assert again.settle(lambda: pytest.fail("chosen already")) == {}
    assert kept["thresholds"]["_target_"] == "assay.tasks.thresholds.Fixed"


def test_the_test_split_is_not_looked_at_and_one_half_costs_nothing():
    assert task(Half()).settle(lambda: pytest.fail("nothing to choose")) == {}
    t = task(BestF1())
    t.settle(lambda: VAL)
    chosen = t.thresholds(3).tolist()
    t.scores(TEST)
    assert t.thresholds(3).tolist() == chosen
    train = labelled(torch.tensor([[1, 0, 0]] * 6 + [[0, 1, 0]] * 4).float())
    assert t.baseline(train, TEST)[1] == task(None).baseline(train, TEST)[1]  # the majority's answer has no threshold

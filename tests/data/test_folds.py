from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.contracts import Field
from assay.data.folds import OneFold, folds_of
from assay.errors import ConfigError


def test_folds_share_every_class_and_keep_copies_together():
    strata = [number % 3 for number in range(300)]
    groups = [number if number >= 60 else number % 30 for number in range(300)]  # 30 pairs of copies
    fold = folds_of(strata, groups, 10, seed=0)
    for stratum in range(3):
        held = torch.bincount(fold[torch.tensor(strata) == stratum], minlength=10)
        assert held.max() - held.min() <= 2  # a pair is one unit
    assert all(fold[number] == fold[number + 30] for number in range(30))
    assert torch.equal(fold, folds_of(strata, groups, 10, seed=0))
    assert not torch.equal(fold, folds_of(strata, groups, 10, seed=1))


def test_every_example_is_tested_once_and_never_trained_on():
    texts = [f"text {number % 190}" for number in range(200)]  # ten copies
    label, field = torch.arange(200) % 2, Field("class", size=2, names=("a", "b"))
    tested = []
    for number in range(5):
        positions, notes = OneFold(number, 5)({"train": texts}, label, field, 0)
        assert sorted(torch.cat(list(positions.values())).tolist()) == list(range(200))
        held = [{texts[place] for place in positions[split].tolist()} for split in ("train", "val", "test")]
        assert not held[0] & held[1] | held[0] & held[2] | held[1] & held[2]
        assert len(positions["val"]) == 16
        assert notes[0] == f"fold {number} of 5 is the test split"
        tested += positions["test"].tolist()
    assert sorted(tested) == list(range(200))


@pytest.mark.parametrize(
    ("fold", "folds", "line"),
    [(5, 5, "fold=5 is none of 0 to 4"), (-1, 5, "fold=-1 is none of"), (0, 1, "folds=1: two are the least")],
)
def test_there_is_such_a_fold(fold, folds, line):
    with pytest.raises(ConfigError, match=line):
        OneFold(fold, folds)


def test_shares_are_those_of_stratified_k_fold():
    from sklearn.model_selection import StratifiedKFold

    generator = np.random.default_rng(0)
    strata = generator.choice(4, 997, p=[0.5, 0.3, 0.15, 0.05])
    fold = folds_of(strata.tolist(), range(997), 7, seed=3).numpy()
    theirs = [np.bincount(strata[test]) for _, test in StratifiedKFold(7).split(strata, strata)]
    ours = [np.bincount(strata[fold == number]) for number in range(7)]
    for stratum in range(4):  # every class is dealt out evenly: the same shares, in whatever order
        assert sorted(held[stratum] for held in ours) == sorted(held[stratum] for held in theirs)
    sizes = np.bincount(fold)
    assert sizes.max() - sizes.min() <= 1


def test_groups_are_never_split_and_about_as_even_as_stratified_group_k_fold():
    from sklearn.model_selection import StratifiedGroupKFold

    def unevenness(parts: list[np.ndarray]) -> float:
        counts = np.array([np.bincount(strata[part], minlength=3) for part in parts])
        return float(((counts / np.bincount(strata) - 1 / len(parts)) ** 2).sum())

    for seed in range(5):
        generator = np.random.default_rng(seed)
        groups = np.repeat(np.arange(60), generator.integers(1, 25, 60))
        favoured = generator.integers(0, 3, 60)[groups]
        strata = np.where(generator.random(len(groups)) < 0.6, favoured, generator.integers(0, 3, len(groups)))
        fold = folds_of(strata.tolist(), groups.tolist(), 5, seed).numpy()
        assert all(len(set(fold[groups == group].tolist())) == 1 for group in range(60))
        assert set(fold.tolist()) == set(range(5))
        theirs = [test for _, test in StratifiedGroupKFold(5).split(strata, strata, groups)]
        assert unevenness([np.flatnonzero(fold == number) for number in range(5)]) < 2 * unevenness(theirs) + 5e-4


def test_users_groups_and_copies_stay_together_over_all_folds():
    texts = [f"text {number % 280}" for number in range(300)]  # twenty copies, in other groups
    given = [f"author {number % 40}" for number in range(300)]
    label, field = torch.arange(300) % 3, Field("class", size=3, names=("a", "b", "c"))
    tested = []
    for number in range(4):
        positions, notes = OneFold(number, 4)({"train": texts}, label, field, 1, {"train": given})
        for of in (texts, given):
            held = [{of[place] for place in positions[split].tolist()} for split in ("train", "val", "test")]
            assert not held[0] & held[1] | held[0] & held[2] | held[1] & held[2]
        assert 15 <= len(positions["val"]) <= 30
        assert any("groups stay whole" in note for note in notes)
        tested += positions["test"].tolist()
    assert sorted(tested) == list(range(300))


def test_splits_of_their_own_are_left_out_of_the_folds():
    label, field = torch.arange(130) % 2, Field("class", size=2, names=("a", "b"))
    sources = {"train": range(100), "test": range(100, 130)}
    positions, notes = OneFold(0, 5)(sources, label, field, 0)
    assert sorted(torch.cat(list(positions.values())).tolist()) == list(range(100))
    assert notes[1] == "the 30 examples of the test split are left out: folds are of training"


def test_numbers_are_dealt_by_their_tenths_and_rare_classes_are_told():
    label = torch.rand(500, generator=torch.Generator().manual_seed(0))
    cut = OneFold(0, 5)({"train": range(500)}, label, Field("number"), 0)[0]
    for low in range(5):  # quantiles: a fifth of the fold in each fifth of the values
        inside = int((label[cut["test"]] < label.quantile((low + 1) / 5)).sum())
        assert abs(inside - 20 * (low + 1)) <= 3
    label, field = torch.tensor([0] * 50 + [1] * 50 + [2] * 3), Field("class", size=3, names=("a", "b", "rare"))
    assert (
        "fewer than 5 examples of rare: not in every fold" in OneFold(1, 5)({"train": range(103)}, label, field, 0)[1]
    )
    with pytest.raises(ConfigError, match=r"data\.folds=5 needs as many examples or groups that differ; there are 3"):
        OneFold(0, 5)({"train": [0, 1, 2] * 20}, torch.arange(60) % 2, Field("class", size=2, names=("a", "b")), 0)

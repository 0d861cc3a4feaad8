from __future__ import annotations

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


@pytest.mark.parametrize(("fold", "folds"), [(5, 5), (-1, 5), (0, 1)])
def test_there_is_such_a_fold(fold, folds):
    with pytest.raises(ConfigError, match=f"data.fold={fold} is none of"):
        OneFold(fold, folds)

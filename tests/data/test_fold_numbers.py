"""``fold=`` against ``data.folds=``, as preflight refuses it."""

from __future__ import annotations

import pytest

from assay.data.fold_numbers import check, check_fold
from assay.errors import ConfigError
from assay.preflight import compose


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("fold=2",), "fold=2 says which of the folds is tested on, not how many there are: data.folds=10"),
        (("data=iris", "fold=5", "data.folds=5"), "fold=5 is none of 0 to 4 (data.folds=5)"),
        (("data=iris", "data.fold=5", "data.folds=5"), "fold=5 is none of 0 to 4 (data.folds=5)"),
        (("data=iris", "data.folds=1"), "data.folds=1 is outside its range: folds >= 2"),
        (("data=iris", "fold=-1", "data.folds=5"), "fold=-1 is outside its range: fold >= 0"),
        (("data=iris", "fold=first", "data.folds=5"), "fold=first needs a number: fold >= 0"),
    ],
)
def test_what_is_refused(words, line):
    with pytest.raises(ConfigError) as refusal:
        compose(words)
    assert str(refusal.value) == line


def test_what_passes():
    assert compose(("data=iris", "fold=4", "data.folds=5")).config["data"]["fold"] == 4
    assert compose(("data=iris", "data.folds=5")).config["data"]["fold"] is None  # the first one
    check_fold(None, None)
    for fold, folds in ((0, 1), (0, 0)):
        with pytest.raises(ConfigError, match=f"data.folds={folds}: two are the least"):
            check_fold(fold, folds)


def test_data_without_folds_refuse_a_fold_and_nothing_else():
    config = {"fold": None, "data": {"path": "a"}, "switches": {"data": "fruit"}}
    assert check(config) == set()
    with pytest.raises(ConfigError, match="fold=3: data=fruit cannot be cut into folds; leave fold= out"):
        check({**config, "fold": 3})

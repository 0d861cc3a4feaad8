from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from assay.contracts import DataSpec, Field
from assay.data.weights.balanced import balanced
from assay.data.weights.class_list import check, parse
from assay.data.weights.effective import effective
from assay.data.weights.given import given
from assay.errors import ConfigError

LABEL = torch.tensor([0] * 11 + [1] * 3 + [2] * 4 + [4])
SPEC = DataSpec({"label": Field("class", (), size=5, names=("a", "b: c", "no", "none", "x,y"))})


def test_balanced_is_scikit_learns():
    found = balanced(LABEL, SPEC)
    classes = np.unique(LABEL)
    expected = dict(zip(classes, compute_class_weight("balanced", classes=classes, y=LABEL.numpy()), strict=True))
    assert np.allclose(found.each.numpy(), [expected[number] for number in LABEL.tolist()], rtol=1e-12)
    assert found.note == "a 0.432, b: c 1.58, no 1.19, x,y 4.75"


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.9999])
def test_effective_is_the_inverse_of_a_sum_of_powers(beta):
    """Eq. 2: E_n = Σ_{i<n} β^i."""
    found = effective(LABEL, SPEC, beta).each.numpy()
    counts = [int((number == LABEL).sum()) for number in LABEL.tolist()]
    expected = np.array([1 / sum(beta**power for power in range(count)) for count in counts])
    assert np.allclose(found, expected / expected.mean(), rtol=1e-9)


def test_effective_goes_from_all_alike_to_balanced():
    assert torch.allclose(effective(LABEL, SPEC, 0).each, torch.ones(len(LABEL), dtype=torch.float64))
    assert torch.allclose(effective(LABEL, SPEC, 1 - 1e-9).each, balanced(LABEL, SPEC).each, rtol=1e-5)
    with pytest.raises(ConfigError, match="class_weights=balanced is its limit"):
        effective(LABEL, SPEC, 1.0)


def test_given_weights_keep_their_proportions_and_the_mean_is_one():
    found = given(LABEL, SPEC, ["b: c:3", "x,y : 0.5"]).each
    assert float(found.mean()) == pytest.approx(1)
    one = found[LABEL == 0][0]
    assert torch.allclose(found / one, torch.tensor([1.0, 3.0, 1.0, 0.0, 0.5], dtype=torch.float64)[LABEL])


def test_a_class_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(ConfigError, match="names 'B', which is no class of this data: a, b: c, no, none, x,y"):
        given(LABEL, SPEC, ["B:3"])


@pytest.mark.parametrize("entry", ["spam", "spam:", ":3", "spam:0", "spam:-1", "spam:inf", "spam:nan", "spam:a lot"])
def test_an_entry_that_cannot_be_read_is_refused(entry):
    with pytest.raises(ConfigError, match="is not NAME:WEIGHT with a weight above 0"):
        check({"weights": [entry]})


def test_names_twice_and_empty_lists_are_refused():
    assert parse([">50K:2", "<=50K:1"]) == {">50K": 2.0, "<=50K": 1.0}
    with pytest.raises(ConfigError, match="names a twice"):
        parse(["a:1", "a:2"])
    with pytest.raises(ConfigError, match="weighs nothing"):
        parse([])


def test_many_classes_are_told_by_the_least_and_the_greatest():
    names = tuple(f"class {number}" for number in range(8))
    label = torch.arange(8).repeat_interleave(torch.arange(1, 9))
    spec = DataSpec({"label": Field("class", (), size=8, names=names)})
    assert balanced(label, spec).note == "from 0.562 of class 7 to 4.5 of class 0"

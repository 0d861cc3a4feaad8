from __future__ import annotations

import pytest
import torch

from assay.contracts import DataSpec, Field
from assay.data.class_names import check, numbers
from assay.data.samplers.without import Without
from assay.errors import ConfigError
from assay.layers.random import order
from tests.references import sampling

LABEL = torch.tensor([0, 3, 1, 1, 2, 0, 3, 3, 2, 1, 0, 2])
SPEC = DataSpec({"label": Field("class", size=4, names=("cat", "2", "dog, brown", "3"))})


@pytest.mark.parametrize(("classes", "absent"), [(["cat"], {0}), (["0", "3"], {0, 3}), (["dog, brown", "2"], {1, 2})])
def test_visits_are_those_of_the_loop(classes, absent):
    sampler = Without(LABEL, 5, SPEC, classes)
    for epoch in range(3):
        found = sampler.positions(epoch).tolist()
        assert len(found) == len(sampler) == len(set(found))
        assert set(found) == sampling.without(LABEL.numpy(), absent)


def test_a_name_goes_before_a_number():
    assert numbers(["2"], SPEC.label.names) == [1]
    assert numbers(["3"], ("a", "b", "c", "d")) == [3]


def test_epochs_are_functions_of_seed_and_epoch():
    one = Without(LABEL, 3, SPEC, ["cat"])
    assert torch.equal(one.positions(7), Without(LABEL, 3, SPEC, ["0"]).positions(7))
    assert not torch.equal(one.positions(7), one.positions(8))
    assert not torch.equal(one.positions(7), Without(LABEL, 4, SPEC, ["cat"]).positions(7))
    assert one.note == "9 examples an epoch, of 12, none of cat"


def test_where_the_class_has_no_example_it_is_the_plain_shuffle():
    sampler = Without(LABEL.clamp(max=2), 9, SPEC, ["3"])
    assert torch.equal(sampler.positions(2), order(9, 2, 12))


@pytest.mark.parametrize(
    ("classes", "line"),
    [
        ([], "leaves nothing out"),
        (["cat", " "], "holds an empty name"),
        (["cat", "cat"], "names cat twice"),
        (["cat", "0"], "means the class cat twice, by 'cat' and '0'"),
        (["bird"], "names 'bird', which is no class of this data: cat, 2, dog, brown, 3"),
        (["4"], "names '4', which is no class"),
        (["-1"], "names '-1', which is no class"),
        (["cat", "1", "dog, brown", "3"], "leaves no class to train on"),
    ],
)
def test_senseless_lists_are_refused(classes, line):
    with pytest.raises(ConfigError, match=line):
        Without(LABEL, 0, SPEC, classes)


def test_examples_of_one_class_alone_cannot_be_left_out():
    with pytest.raises(ConfigError, match="leaves no training example"):
        Without(torch.zeros(4, dtype=torch.int64), 0, SPEC, ["cat"])


def test_preflight_reads_the_list():
    assert check({"classes": ["3"]}) == set()
    with pytest.raises(ConfigError, match=r"sampling\.classes=\[\] leaves nothing out"):
        check({"classes": []})

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.contracts import Field
from assay.data.split import groups_of, notes_of, strata_of, stratified
from assay.errors import ConfigError


def counts(strata, positions):
    return Counter(strata[position] for position in positions.tolist())


def test_shares_are_80_10_10_in_every_class_and_in_total():
    strata = [0] * 700 + [1] * 250 + [2] * 50
    parts = stratified(strata, 0)
    assert {name: len(part) for name, part in parts.items()} == {"train": 800, "val": 100, "test": 100}
    for name in ("val", "test"):
        assert counts(strata, parts[name]) == {0: 70, 1: 25, 2: 5}
    assert torch.cat(list(parts.values())).sort().values.tolist() == list(range(1000))


def test_many_small_classes_still_fill_the_splits():
    strata = [number // 4 for number in range(400)]  # a tenth of four is less than a half
    parts = stratified(strata, 0)
    assert len(parts["val"]) == len(parts["test"]) == 40
    assert all(counts(strata, parts["train"])[stratum] >= 2 for stratum in range(100))


def test_the_seed_and_nothing_else_moves_the_split():
    strata = [number % 3 for number in range(90)]
    global_state = torch.get_rng_state()
    first, again, other = stratified(strata, 1), stratified(strata, 1), stratified(strata, 2)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["test"], other["test"])
    assert torch.equal(torch.get_rng_state(), global_state)


def test_a_class_of_one_or_two_goes_to_training_and_is_noted():
    strata = [0] * 50 + [1] * 50 + [2, 3, 3]
    for seed in range(20):
        parts = stratified(strata, seed)
        for name in ("val", "test"):
            assert not set(counts(strata, parts[name])) & {2, 3}
    field = Field("class", size=4, names=("a", "b", "once", "twice"))
    assert notes_of(strata, range(103), field) == [
        "fewer than three different examples of once, twice: in training only, never tested"
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 25)), min_size=60, max_size=150), st.integers(0, 5))
def test_splits_partition_and_groups_never_straddle(rows, seed):
    strata, groups = [row[0] for row in rows], groups_of(row[1] for row in rows)
    try:
        parts = stratified(strata, seed, groups)
    except ConfigError:
        return  # all alike
    assert torch.cat(list(parts.values())).sort().values.tolist() == list(range(len(rows)))
    held = [{groups[position] for position in part.tolist()} for part in parts.values()]
    assert sum(map(len, held)) == len(set().union(*held))


def test_copies_are_noted():
    field = Field("number")
    assert notes_of([0, 0, 0], [0, 0, 1], field) == ["1 example is a copy of another; copies stay in one split"]


def test_too_few_examples_are_refused():
    with pytest.raises(ConfigError, match="4 examples are too few"):
        stratified([0, 0, 1, 1], 0)
    with pytest.raises(ConfigError, match="too much alike"):
        stratified([0] * 100, 0, [0] * 100)


def test_numbers_are_spread_by_their_quantiles():
    label = torch.arange(200.0).flip(0) ** 2
    strata = strata_of(label, Field("number"))
    assert Counter(strata) == dict.fromkeys(range(10), 20)
    parts = stratified(strata, 0)
    assert counts(strata, parts["test"]) == dict.fromkeys(range(10), 2)


def test_several_labels_are_spread_by_the_rarest_of_an_example():
    label = torch.zeros(300, 3)
    label[:, 0] = 1
    label[::10, 2] = 1  # thirty
    label[5, 1] = 1  # one
    field = Field("labels", (3,), size=3, names=("common", "one", "rare"))
    strata = strata_of(label, field)
    assert strata[0] == 2
    assert strata[5] == 1
    assert strata[1] == 0
    parts = stratified(strata, 0)
    assert all(label[parts[name], 2].sum() == 3 for name in ("val", "test"))
    assert strata_of(torch.zeros(2, 3), field) == [3, 3]

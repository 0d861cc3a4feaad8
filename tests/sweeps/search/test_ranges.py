"""The values that a cell tries."""

from __future__ import annotations

import math
import random
from itertools import combinations, pairwise

import pytest

from assay.composition.spaces import Dimension
from assay.errors import ConfigError
from assay.sweeps.search.ranges import along, around, candidates, is_edge, spread


def test_around_a_default_are_half_powers_of_ten_and_it_is_one_of_them():
    values = around("optim.lr", 0.006, 8)
    assert values == [6e-05, 0.00019, 0.0006, 0.0019, 0.006, 0.019, 0.06, 0.19]
    assert around("optim.lr", 0.1, 3) == [0.0316, 0.1, 0.316]
    assert around("optim.lr", 1, 3) == [0.316, 1, 3.16]  # a rate, though typed without a point


def test_of_whole_numbers_each_is_twice_the_one_before():
    assert around("model.hidden_size", 64, 5) == [16, 32, 64, 128, 256]
    assert around("model.num_layers", 2, 8) == [1, 2, 4, 8, 16]


@pytest.mark.parametrize(
    ("default", "said"),
    [(0.0, "no range lies around that; give one"), (True, "name its values"), ("relu", "name its"), (None, "name its")],
)
def test_where_no_range_lies_one_is_asked_for(default, said):
    with pytest.raises(ConfigError, match=said):
        around("optim.weight_decay", default, 8)


def test_a_typed_range_has_its_ends_and_the_default_inside():
    values = along(Dimension("optim.lr", 1e-4, 1.0, log=True), 8, 0.006)
    assert (len(values), values[0], values[-1]) == (8, 1e-4, 1.0)
    assert 0.006 in values
    steps = [math.log10(b / a) for a, b in pairwise(values)]
    assert max(steps) < 2 * min(steps)
    assert along(Dimension("optim.lr", 1e-4, 1.0, log=True), 5, 3.0) == pytest.approx([1e-4, 1e-3, 1e-2, 0.1, 1.0])
    assert along(Dimension("model.num_layers", 1, 4, whole=True), 8, 2) == [1, 2, 3, 4]
    assert along(Dimension("model.dropout", 0.0, 0.5), 3, 0.1) == [0.0, 0.1, 0.5]


def test_named_values_are_all_tried():
    assert along(Dimension("optim.nesterov", choices=("true", "false")), 8, False) == ["true", "false"]
    with pytest.raises(ConfigError, match=r"sweep\.tune_trials=2 is fewer than the 3 values"):
        along(Dimension("optim.lr", choices=("1", "2", "3")), 2, 1.0)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("count", [2, 5, 7, 8, 12, 15])
def test_points_of_a_lattice_are_even_on_each_axis_and_far_apart(count, dimensions):
    points = spread(count, dimensions)
    assert len(points) == count
    for axis in range(dimensions):
        values = sorted(point[axis] for point in points)
        assert 0 < values[0] < values[-1] < 1
        assert [b - a for a, b in pairwise(values)] == pytest.approx([values[1] - values[0]] * (count - 1))
    chance = random.Random(0)
    drawn = [[tuple(chance.random() for _ in range(dimensions)) for _ in range(count)] for _ in range(200)]
    nearest = sorted(min(math.dist(a, b) for a, b in combinations(one, 2)) for one in drawn)
    assert min(math.dist(a, b) for a, b in combinations(points, 2)) > nearest[100 if count == 2 else 180]


def test_several_keys_are_tried_together_the_defaults_first():
    found = candidates({"a": (None, 0.1), "b": (Dimension("b", 0.0, 0.5), 0.2)}, 8)
    assert len(found) == 8
    assert found[0] == {"a": 0.1, "b": 0.2}
    assert len({one["a"] for one in found}) == len({one["b"] for one in found}) == 8
    assert all(0.001 <= one["a"] <= 3.2 and 0 <= one["b"] <= 0.5 for one in found)
    outside = candidates({"a": (None, 0.1), "b": (Dimension("b", 0.0, 0.1), 0.2)}, 8)
    assert len(outside) == 8
    assert all(one["b"] <= 0.1 for one in outside)


def test_an_edge_is_the_least_or_largest_number():
    assert is_edge("0.1", ["0.1", "0.2", "0.3"]) == "lowest"
    assert is_edge(0.3, [0.1, 0.2, 0.3]) == "highest"
    assert is_edge("0.2", ["0.1", "0.2", "0.3"]) == ""
    assert is_edge("relu", ["relu", "tanh"]) == ""
    assert is_edge("0.1", ["0.1"]) == ""

"""Which layers belong together."""

from __future__ import annotations

import pytest

from assay.distillation.stages import matched, middle, stages
from assay.errors import ConfigError

MAPS = {
    "stem": (2, 1, 28, 28),
    "encoder.first": (2, 8, 28, 28),
    "encoder.blocks.0.body": (2, 8, 28, 28),
    "encoder.blocks.0": (2, 8, 28, 28),
    "encoder.blocks.1": (2, 16, 14, 14),
    "encoder.blocks.2": (2, 32, 7, 7),
    "encoder.blocks.3": (2, 64, 1, 1),
    "encoder": (2, 64),
    "head": (2, 10),
}
STATES = {"encoder.0": (2, 6, 8), "encoder.1": (2, 6, 8), "encoder": (2, 8), "head": (2, 10)}
VECTORS = {"encoder.0": (2, 8), "encoder": (2, 8), "head": (2, 10)}


def test_a_stage_ends_where_maps_change_their_size():
    assert stages(MAPS) == ["encoder.blocks.0", "encoder.blocks.1", "encoder.blocks.2"]
    assert stages(STATES) == ["encoder.1"]
    assert stages(VECTORS) == []


def test_the_middle_one_of_each_or_the_summary():
    assert middle(MAPS, MAPS) == ("encoder.blocks.1", "encoder.blocks.1")
    for other in (STATES, VECTORS):
        assert middle(MAPS, other) == middle(other, MAPS) == middle(other, other) == ("encoder", "encoder")


def test_pairs_of_one_size():
    small = {"encoder.a": (2, 3, 14, 14), "encoder.b": (2, 3, 7, 7)}
    assert matched(MAPS, small) == [("encoder.blocks.1", "encoder.a"), ("encoder.blocks.2", "encoder.b")]
    assert matched(STATES, STATES) == [("encoder.1", "encoder.1")]
    odd = {"encoder.a": (2, 3, 9, 9), "encoder.b": (2, 3, 5, 5)}
    assert matched(MAPS, odd) == [("encoder.blocks.1", "encoder.a"), ("encoder.blocks.2", "encoder.b")]
    for one, other in ((MAPS, STATES), (VECTORS, MAPS), (VECTORS, VECTORS)):
        with pytest.raises(ConfigError, match="attention_transfer compares where two networks look"):
            matched(one, other)

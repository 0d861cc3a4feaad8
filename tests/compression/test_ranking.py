"""Which units stay, against a loop that takes the weakest one after another."""

from __future__ import annotations

import pytest
import torch

from assay.compression.ranking import kept
from assay.errors import ConfigError
from tests.references import pruning


def scores(*sizes, ties=False):
    generator = torch.Generator().manual_seed(sum(sizes))
    drawn = {f"layer{i}": torch.rand(size, generator=generator) for i, size in enumerate(sizes)}
    return {name: (s * 4).floor() for name, s in drawn.items()} if ties else drawn


@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("ratio", "floor"), [(0.5, 0.1), (0.29, 1), (0.7, 0.25), (0.4, 2), (0.1, 0.01)])
def test_against_a_loop(scope, ties, ratio, floor):
    for sizes in ((10, 20, 100), (4,), (7, 7)):
        given = scores(*sizes, ties=ties)
        expected = pruning.kept({n: s.tolist() for n, s in given.items()}, ratio, floor, scope == "global")
        if all(len(units) == len(given[name]) for name, units in expected.items()):
            with pytest.raises(ConfigError, match="takes no unit out of layers of"):
                kept(given, scope, ratio, floor)
        else:
            assert kept(given, scope, ratio, floor) == expected


def test_a_floor_that_the_ratio_cannot_keep_is_refused_and_a_layer_keeps_one_unit():
    given = {"a": torch.tensor([0.1, 0.2, 0.3, 0.4]), "b": torch.tensor([1.0, 2.0, 3.0, 4.0])}
    with pytest.raises(
        ConfigError, match=r"^compression.ratio=0.9 takes 7 of 8 units out, and compression.floor=2 lets 4"
    ):
        kept(given, "global", 0.9, 2)
    assert kept(given, "global", 0.75, 1) == {"a": [3], "b": [3]}
    assert kept(given, "global", 0.5, 0.01) == {"a": [3], "b": [1, 2, 3]}  # the whole of a layer never leaves
    with pytest.raises(ConfigError, match=r"takes no unit out of layers of 4, 4 with compression.floor=0.1: raise"):
        kept(given, "layer", 0.2, 0.1)


def test_a_share_is_counted_as_it_is_written():
    """0.29 of 100 is 29, though 0.29 · 100 is less in binary."""
    assert len(kept({"a": torch.rand(100)}, "layer", 0.29, 0.1)["a"]) == 71

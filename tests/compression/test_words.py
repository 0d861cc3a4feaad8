"""A budget in words."""

from __future__ import annotations

import pytest

from assay.compression.words import limits


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"macs": 2000}, "at most 2,000 multiply-adds"),
        ({"macs": 11_600_000}, "at most 11,600,000 multiply-adds"),
        ({"bytes": 100_000, "latency_ms": 0.02}, "at most 100,000 bytes and 0.02 ms"),
    ],
)
def test_limits(found, said):
    assert limits(found) == said

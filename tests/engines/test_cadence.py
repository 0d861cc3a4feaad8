"""How often a run writes a checkpoint."""

from __future__ import annotations

import pytest

from assay.engines import cadence
from assay.engines.cadence import Cadence
from assay.errors import ConfigError


@pytest.mark.parametrize(("every", "expected"), [("5min", 300), ("30s", 30), ("1.5h", 5400)])
def test_in_time(every, expected, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(cadence.time, "monotonic", lambda: now[0])
    often = Cadence(every)
    now[0] = expected - 1
    assert not often.due(1)
    now[0] = expected
    assert often.due(2)
    often.written(2)
    assert not often.due(3)


def test_in_steps_and_epochs():
    often = Cadence("5steps")
    assert [step for step in range(13) if often.due(step)] == [5, 10]
    often.written(5)
    assert not often.due(5)  # a run resumed there has nothing new to write
    assert [epoch for epoch in range(6) if Cadence("2epochs").due_after_epoch(epoch)] == [1, 3, 5]


def test_what_is_no_interval_is_refused():
    with pytest.raises(ConfigError, match=r"checkpoint\.every=soon"):
        Cadence("soon")

from __future__ import annotations

import pytest

from assay.callbacks.early_stopping import EarlyStopping


@pytest.mark.parametrize(
    ("mode", "scores", "stops_at"),
    [
        ("max", [0.1, 0.2, 0.2, 0.1, 0.3], 3),
        ("min", [3.0, 2.0, 1.0, 0.5, 0.4], None),
        ("min", [1.0, 1.0, 1.0], 2),
    ],
)
def test_stops_after_patience_validations_without_improvement(mode, scores, stops_at):
    stopping = EarlyStopping(mode, patience=2)
    stopped = [stopping.update(score) for score in scores]
    assert (stopped.index(True) if True in stopped else None) == stops_at


def test_state_is_carried():
    first, second = EarlyStopping("max", patience=3), EarlyStopping("max", patience=3)
    first.update(0.5)
    first.update(0.4)
    second.load_state(first.state())
    assert [second.update(0.4), second.update(0.4)] == [False, True]


def test_min_delta_is_what_counts_as_better():
    stopping = EarlyStopping("max", patience=1, min_delta=0.1)
    assert [stopping.update(0.5), stopping.update(0.55)] == [False, True]

"""What the bench of sweeps counts. No test asserts a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assay import preflight
from assay.benchmarks import sweep


def test_the_points_are_sixty_and_can_be_trained():
    points = preflight.check(["-m", *sweep.FIXED, *sweep.axes()])
    assert len(points) == sweep.POINTS == 60


def test_overhead_is_what_the_cores_did_beside_training(tmp_path, monkeypatch):
    def run(words: list[str]) -> None:
        outputs = next(Path(word.partition("=")[2]) for word in words if word.startswith("outputs="))
        for number in range(trained):
            place = outputs / "sweeps" / "a" / str(number)
            place.mkdir(parents=True)
            (place / "summary.json").write_text(json.dumps({"training_seconds": 0.5}))

    clock = iter([100.0, 140.0, 0.0, 1.0])
    monkeypatch.setattr(sweep, "run", run)
    monkeypatch.setattr(sweep, "core_count", lambda: 2)
    monkeypatch.setattr(sweep.time, "perf_counter", lambda: next(clock))
    trained = 60
    assert sweep.overhead(tmp_path) == pytest.approx((2 * 40 - 60 * 0.5) / 60)
    trained = 59
    with pytest.raises(RuntimeError, match="59 of 60 points were trained"):
        sweep.overhead(tmp_path)

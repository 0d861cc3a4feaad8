"""What the comparison of epochs with and without kept answers compares."""

from __future__ import annotations

import json

import pytest

from assay.benchmarks import distillation


@pytest.mark.slow
def test_student_teacher_and_the_three_ways_of_an_epoch():
    student, small = distillation.trained(distillation.STUDENT, 1)
    _, large = distillation.trained(distillation.TEACHER, 1)
    assert 7.5 < large["parameters"] / small["parameters"] < 9
    kept, _ = distillation.trained([*distillation.STUDENT, *distillation.teacher(), "distillation.cache=true"], 1)
    live, _ = distillation.trained([*distillation.STUDENT, *distillation.teacher(), "distillation.cache=false"], 1)
    chosen = [json.loads((run / "environment.json").read_text())["chosen"] for run in (student, kept, live)]
    assert [one.get("teacher_answers", "none") for one in chosen[::2]] == ["none", "live"]
    assert chosen[1]["teacher_answers"] not in ("none", "live")
    for comparison in distillation.comparisons():
        assert comparison.measure(pairs=1, warm=False)["ratio"]["median"] > 0

"""The Pareto figure: who stands on the line, and that it is drawn."""

from __future__ import annotations

from assay.loops.pareto import draw, front

ROWS = [
    {"stage": "a", "val": {"accuracy": 0.9, "log_loss": 0.3}, "bytes": 100, "macs": 5},
    {"stage": "b", "val": {"accuracy": 0.8, "log_loss": 0.2}, "bytes": 50, "macs": 5},
    {"stage": "c", "val": {"accuracy": 0.7, "log_loss": 0.9}, "bytes": 60, "macs": 9},
    {"stage": "d", "val": {"accuracy": 0.95}, "bytes": None, "macs": None},
]


def test_nobody_on_the_line_is_beaten_in_both():
    assert front(ROWS, "accuracy", "bytes") == ["b", "a"]
    assert front(ROWS, "log_loss", "bytes") == ["b"]
    assert front(ROWS, "accuracy", "macs") == ["a"]
    assert front(ROWS, "accuracy", "latency") == []


def test_it_is_drawn_without_what_is_not_known(tmp_path):
    spread = {"1": {"median": 0.5, "lower": 0.4, "upper": 0.6}}
    draw([*ROWS, {**ROWS[0], "stage": "e", "latency_ms": spread}], "accuracy", tmp_path / "pareto.png")
    assert (tmp_path / "pareto.png").read_bytes().startswith(b"\x89PNG")

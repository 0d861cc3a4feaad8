"""The review's section of costs, from the files of a run folder."""

from __future__ import annotations

import json
from types import SimpleNamespace

from assay.review.sections.costs import costs

SPREAD = {"1": {"median": 0.25, "lower": 0.2, "upper": 0.3}, "64": {"median": 5.0, "lower": 4.0, "upper": 6.0}}
BEFORE = {
    "stage": "before",
    "val": {"accuracy": 0.9},
    "test": {},
    "parameters": 53098,
    "nonzero": 53098,
    "macs": 347000,
}
BEFORE |= {"bytes": 219000, "latency_ms": SPREAD, "runs_in": "torch", "threads": 1, "peak_activation_bytes": 16400}
AFTER = {
    **BEFORE,
    "stage": "<after>",
    "val": {"accuracy": 0.89},
    "parameters": 13754,
    "bytes": 21900,
    "latency_ms": None,
}


def page_of(folder, name, facts):
    (folder / name).write_text(facts if isinstance(facts, str) else json.dumps(facts))
    run = SimpleNamespace(folder=folder, notes=[])
    return "".join(costs(run)), run.notes


def test_nothing_where_nothing_was_compressed(tmp_path):
    assert costs(SimpleNamespace(folder=tmp_path, notes=[])) == []


def test_two_rows_with_every_number(tmp_path):
    page, notes = page_of(tmp_path, "compression.json", {"metric": "accuracy", "rows": [BEFORE, AFTER]})
    for text in (
        "53,098",
        "13,754",
        "219,000",
        "0.8900",
        "0.25 (0.2 – 0.3)",
        "10.0 times fewer bytes",
        "&lt;after&gt;",
    ):
        assert text in page
    assert "<after>" not in page
    assert notes == []


def test_a_search_names_who_was_tried(tmp_path):
    tried = [{"candidate": "2 × as wide, int4", "epochs": 2, "val": 0.8, "load": 0.93, "stage": "x"}]
    search = {"limits": {"bytes": 20000}, "candidates": [], "tried": tried, "chosen": "2 × as wide, int4"}
    page, _ = page_of(tmp_path, "chain.json", {"metric": "accuracy", "rows": [BEFORE, AFTER], "search": search})
    assert "It may take at most 20,000 bytes. Chosen: 2 × as wide, int4." in page
    assert "93 %" in page


def test_a_broken_file_is_a_note(tmp_path):
    page, notes = page_of(tmp_path, "chain.json", "{")
    assert page == ""
    assert "chain.json could not be read" in notes[0]

from __future__ import annotations

import io

import numpy as np
import pytest
import torch

from assay.data.preprocessing import from_json
from assay.data.preprocessing.sequence import SequencePreprocessing
from assay.errors import ConfigError

MADE = SequencePreprocessing(("x", "y"), 3)


def test_lists_arrays_and_tensors_are_the_same():
    rows = [[0.5, 1], [2, 3], [4, -5]]
    for raws in ([rows], [np.array(rows)], [torch.tensor(rows)], torch.tensor([rows])):
        found = MADE(raws)["source"].gather(torch.tensor([0]))
        assert torch.equal(found, torch.tensor([rows], dtype=torch.float32))
    assert len(MADE([])["source"]) == 0
    assert from_json(MADE.to_json()).field() == MADE.field()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x,y\n1,2\n3,4\n", "a.csv has 2 time steps; the model was trained on 3"),
        ("x,z\n1,2\n3,4\n5,6\n", "has no column 'y'"),
        ("x,y\n1,2\n3,four\n5,6\n", "a.csv, line 3: y='four' is not a number"),
    ],
)
def test_tables_that_will_not_do(tmp_path, text, line):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ConfigError) as refusal:
        MADE.read([str(tmp_path / "a.csv")])
    assert line in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[[1, 2], [3, 4], [5, 6]", "line 1: not JSON"),
        ("[[1, 2], [3], [5, 6]]", "line 1 is not rows of 2 numbers each (x, y)"),
        ('"abc"', "line 1 is not rows of 2 numbers each (x, y)"),
        ("[[1], [2], [3]]", "line 1 has the shape (3, 1); needed are rows of x, y"),
        ("[[1, 2], [3, NaN], [5, 6]]", "line 1 holds a number that is not finite"),
    ],
)
def test_json_lines_that_will_not_do(tmp_path, text, line):
    (tmp_path / "a.jsonl").write_text(text + "\n")
    with pytest.raises(ConfigError) as refusal:
        MADE.read([str(tmp_path / "a.jsonl")])
    assert line in str(refusal.value)


def test_standard_input_and_how_an_example_is_shown(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"x,y\n1,2\n3,4\n5,6.25\n")))
    ids, (found,) = MADE.read(["-"])
    assert ids == ["-"]
    assert MADE.show(found) == "x: 1 3 5\ny: 2 4 6.25"
    shown = MADE.show(torch.arange(100.0).reshape(50, 2))
    assert shown.splitlines()[1].startswith("y: 1 3 5")
    assert "23 … 77" in shown

from __future__ import annotations

import io
import json
import sys

import pytest
import torch

from assay.data.preprocessing import from_json
from assay.data.preprocessing.impute import Mean, NoImputation
from assay.data.preprocessing.scaling import Standard
from assay.data.preprocessing.table import TablePreprocessing
from assay.errors import ConfigError

ROWS = [("1", "red", "10"), ("3", "blue", "?"), ("?", "red", "40"), ("5", "?", "10")]


def make(impute=None):
    return TablePreprocessing(["age", "colour", "pay"], [True, False, True], ["?"], Standard(), impute or Mean()).fit(
        ROWS
    )


def gathered(preprocessing, rows):
    return preprocessing(rows)["source"].gather(torch.arange(len(rows)))


def test_numbers_are_filled_then_scaled_and_categories_numbered():
    preprocessing = make()
    x = gathered(preprocessing, ROWS)
    ages, pays = torch.tensor([1.0, 3, 3, 5]), torch.tensor([10.0, 20, 40, 10])  # mean of the filled ones put in
    torch.testing.assert_close(x[:, 0], (ages - ages.mean()) / ages.std(correction=0))
    torch.testing.assert_close(x[:, 2], (pays - pays.mean()) / pays.std(correction=0))
    assert x[:, 1].tolist() == [3, 2, 3, 1]  # "", blue, red from 1
    assert preprocessing.field().cardinalities == (0, 4, 0)
    assert "colour=red" in preprocessing.show(x[0])


def test_a_category_unseen_in_training_is_zero_with_a_note():
    preprocessing = make()
    assert gathered(preprocessing, [("1", "green", "2")])[0, 1] == 0
    assert preprocessing.notes == ["1 row holds a value of colour unseen in training: 'green'"]


def test_json_round_trip_keeps_every_bit():
    preprocessing = make()
    again = from_json(json.loads(json.dumps(preprocessing.to_json())))
    rows = [*ROWS, ("1e-3", "green", "12345.678")]
    assert torch.equal(gathered(again, rows), gathered(preprocessing, rows))
    assert again.to_json() == preprocessing.to_json()


def test_mappings_do_as_well_as_cells():
    preprocessing = make()
    mappings = [{"pay": 10, "age": 1.0, "colour": "red", "more": 1}, {"age": None, "colour": None, "pay": 40}]
    assert torch.equal(gathered(preprocessing, mappings), gathered(preprocessing, [ROWS[0], ("", "", "40")]))
    with pytest.raises(ConfigError, match="row 1 has no 'pay'"):
        preprocessing([{"age": 1, "colour": "red"}])
    with pytest.raises(ConfigError, match="row 1 has 2 cells"):
        preprocessing([("1", "red")])


def test_everything_that_can_be_read(tmp_path, monkeypatch):
    path = tmp_path / "a b, c=d.csv"
    path.write_text("pay;note;colour;age\n10;x;red;1\n\n?;y;blue;3\n")
    (tmp_path / "a.jsonl").write_text('{"age": null, "colour": "red", "pay": 40.0}\n')
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"age,colour,pay\n5,,10\n")))
    preprocessing = make()
    ids, rows = preprocessing.read([str(path), str(tmp_path / "a.jsonl"), "-"])
    assert ids == [f"{path}:2", f"{path}:4", f"{tmp_path / 'a.jsonl'}:1", "-:2"]
    assert torch.equal(gathered(preprocessing, rows), gathered(preprocessing, ROWS))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("age,color,pay\n1,red,2\n", "has no column 'colour'; did you mean color?"),
        ("age,colour,pay\n1,red,2\nold,red,2\n", "a.csv, line 3: age='old' is not a number"),
        ("age,colour,pay\n1,red,2\n1,red\n", "a.csv, line 3: expected 3 cells, found 2"),
    ],
)
def test_what_cannot_be_read(tmp_path, content, message):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(ConfigError) as refusal:
        make().read([str(tmp_path / "a.csv")])
    assert message in str(refusal.value)


def test_without_imputation_empty_cells_are_refused_by_line(tmp_path):
    made = TablePreprocessing(["age", "colour"], [True, False], ["?"], Standard(), NoImputation()).fit([("1", "a")])
    (tmp_path / "a.csv").write_text("age,colour\n1,a\n?,a\n")
    with pytest.raises(ConfigError, match=r"a.csv, line 3: age is empty; fill it in, or train with impute=mean"):
        made.read([str(tmp_path / "a.csv")])
    with pytest.raises(ConfigError, match="row 1: colour is empty"):
        made([("1", "")])

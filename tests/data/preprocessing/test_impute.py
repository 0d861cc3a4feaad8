"""Imputers against scikit-learn's, and what rows impute=drop leaves."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sklearn.impute import SimpleImputer

from assay.data.preprocessing.impute import Drop, Indicator, Mean, Median, NoImputation, impute_from_json
from assay.data.preprocessing.nearest_rows import NearestRows
from assay.data.preprocessing.scaling import MinMax, NoScaling, Standard
from assay.data.preprocessing.table import TablePreprocessing
from assay.data.tabular_csv import TabularCSV
from assay.errors import ConfigError

RNG = np.random.default_rng(0)
FILLING = [Mean, Median, Indicator, NearestRows]


def gaps(rows):
    x = RNG.normal(size=(rows, 3))
    x[RNG.random((rows, 3)) < 0.3] = np.nan
    return x


@pytest.mark.parametrize(("ours", "strategy"), [(Mean, "mean"), (Median, "median")])
@pytest.mark.parametrize("rows", [40, 41])
def test_against_scikit_learn(ours, strategy, rows):
    train, other = gaps(rows), gaps(10)
    made, theirs = ours().fit(torch.from_numpy(train)), SimpleImputer(strategy=strategy).fit(train)
    for x in (train, other):
        np.testing.assert_allclose(made.transform(torch.from_numpy(x)).numpy(), theirs.transform(x), rtol=1e-12)


def test_the_indicator_against_scikit_learn():
    train, other = gaps(40), gaps(10)
    train[:, 1] = 7.0  # no gap in training: no flag, and a later gap is filled alone
    train[0, 1] = 8.0
    ours = Indicator().fit(torch.from_numpy(train))
    theirs = SimpleImputer(add_indicator=True).fit(train)
    x = torch.from_numpy(other)
    flags = x[:, ours.flagged_].isnan().double()
    assert ours.flagged_ == [0, 2]
    np.testing.assert_allclose(torch.cat([ours.transform(x), flags], 1).numpy(), theirs.transform(other), rtol=1e-12)


@pytest.mark.parametrize("make", FILLING)
def test_a_column_without_any_value_becomes_zero(make):
    x = torch.full((3, 1), torch.nan, dtype=torch.float64)
    assert make().fit(x).transform(x).tolist() == [[0.0]] * 3


@pytest.mark.parametrize("make", [*FILLING, NoImputation, Drop])
def test_json_brings_back_the_same_bits(make):
    train, other = torch.from_numpy(gaps(40)), torch.from_numpy(gaps(10))
    impute = make().fit(train)
    again = impute_from_json(json.loads(json.dumps(impute.to_json(), allow_nan=False)))
    assert type(again) is make
    assert torch.equal(again.transform(other).nan_to_num(9), impute.transform(other).nan_to_num(9))
    assert (again.fills, again.drops, again.flagged_) == (impute.fills, impute.drops, impute.flagged_)
    assert again.to_json() == impute.to_json()


ROWS = [("1", "red", "10"), ("3", "blue", "?"), ("?", "red", "40"), ("5", "?", "10")]


def table(scaling, impute):
    return TablePreprocessing(["age", "colour", "pay"], [True, False, True], ["?"], scaling, impute)


def gathered(preprocessing, rows):
    return preprocessing(rows)["source"].gather(torch.arange(len(rows)))


@pytest.mark.parametrize("make", FILLING)
@pytest.mark.parametrize("scaling", [NoScaling, Standard, MinMax])
def test_cells_are_filled_before_they_are_scaled(make, scaling):
    made = table(scaling(), make()).fit(ROWS)
    x = gathered(made, ROWS)
    numbers = torch.tensor([[1, 10], [3, torch.nan], [torch.nan, 40], [5, 10]], dtype=torch.float64)
    filled = make().fit(numbers).transform(numbers)
    torch.testing.assert_close(x[:, [0, 2]].double(), scaling().fit(filled).transform(filled), rtol=1e-6, atol=1e-6)


def test_flags_follow_the_features_unscaled_and_by_name():
    made = table(Standard(), Indicator()).fit(ROWS)
    x = gathered(made, ROWS)
    assert x[:, 3:].tolist() == [[0, 0], [0, 1], [1, 0], [0, 0]]
    assert made.field().names == ("age", "colour", "pay", "age empty", "pay empty")
    assert made.field().cardinalities == (0, 4, 0, 0, 0)
    assert made.field().shape == (5,)
    assert made.show(x[1]).endswith("age empty=0 pay empty=1")


@pytest.fixture
def holes(tmp_path):
    """Forty rows, in every fifth a number or a category empty."""
    path = tmp_path / "holes.csv"
    lines = ["age,town,pay,outcome"]
    for i in range(40):
        age, town = ("" if i % 10 == 0 else str(20 + i)), ("" if i % 10 == 5 else ["Rome", "Oslo"][i % 3 % 2])
        lines.append(f"{age},{town},{i * 7 % 11},{'yes' if i % 2 else 'no'}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_rows_with_gaps_leave_every_split_and_keep_their_numbers(holes):
    data = TabularCSV(str(holes), "outcome", Standard(), Drop())
    data.setup()
    numbers = sorted(number for split in data.splits.values() for number in split.index.tolist())
    assert numbers == [i for i in range(40) if i % 5]  # as the file counts its rows
    assert "impute=drop left out 8 of the 40 rows, for an empty cell" in data.notes
    assert data.preprocessing.categories_ == {"town": ["Oslo", "Rome"]}
    batch = data.splits["val"].gather(torch.arange(len(data.splits["val"])))
    rows = holes.read_text().splitlines()[1:]
    for number, source, label in zip(batch["index"].tolist(), batch["source"], batch["label"].tolist(), strict=True):
        *cells, outcome = rows[number].split(",")
        assert torch.equal(source, gathered(data.preprocessing, [cells])[0])
        assert ["no", "yes"][label] == outcome


def test_what_is_dropped_is_not_fitted(holes):
    kept = [line for line in holes.read_text().splitlines() if ",," not in line and not line.startswith(",")]
    whole = holes.with_name("kept.csv")
    whole.write_text("\n".join(kept) + "\n")
    ours, theirs = (
        TabularCSV(str(holes), "outcome", Standard(), Drop()),
        TabularCSV(str(whole), "outcome", Standard(), Mean()),
    )
    ours.setup()
    theirs.setup()
    assert ours.preprocessing.scaling.to_json() == theirs.preprocessing.scaling.to_json()


def test_a_row_with_a_gap_is_refused_by_predict_by_name(holes, tmp_path):
    data = TabularCSV(str(holes), "outcome", Standard(), Drop())
    data.setup()
    (tmp_path / "new.csv").write_text("age,town,pay\n30,Oslo,3\n31,,3\n")
    with pytest.raises(
        ConfigError, match=r"new.csv, line 3: town is empty; impute=drop left such rows out; fill it in"
    ):
        data.preprocessing.read([str(tmp_path / "new.csv")])
    with pytest.raises(ConfigError, match="row 1: age is empty"):
        data.preprocessing([{"age": None, "town": "Oslo", "pay": 3}])


def test_too_few_complete_rows_are_refused(tmp_path):
    path = tmp_path / "few.csv"
    path.write_text("a,b,y\n" + "".join(f"{'' if i > 5 else i},{i},{i % 2}\n" for i in range(30)))
    with pytest.raises(
        ConfigError, match="impute=drop leaves 6 of the 30 rows, the others have empty cells: use impute"
    ):
        TabularCSV(str(path), "y", Standard(), Drop()).setup()


def test_a_file_of_its_own_loses_its_gaps_too(holes, tmp_path):
    path = tmp_path / "val.csv"
    path.write_text("age,town,pay,outcome\n,Rome,1,yes\n30,Rome,1,no\n")
    data = TabularCSV(str(holes), "outcome", Standard(), Drop(), val_path=str(path))
    data.setup()
    assert data.splits["val"].index.tolist() == [41]
    assert "impute=drop left out 1 of the val 2 rows, for an empty cell" in data.notes
    path.write_text("age,town,pay,outcome\n,Rome,1,yes\n")
    with pytest.raises(ConfigError, match="impute=drop leaves 0 of the val 1 rows"):
        TabularCSV(str(holes), "outcome", Standard(), Drop(), val_path=str(path)).setup()

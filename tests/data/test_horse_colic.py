"""Horse colic as its option gives it, against the file read anew."""

from __future__ import annotations

import numpy as np

from tests import covers
from tests.data.published import by_number, counts, ready
from tests.references.published import delimited

PLACES = [0, 1, *range(3, 23)]  # but the hospital number, the answer, the lesion's code and the last column
NUMBERS = [3, 4, 5, 15, 18, 19, 21]


def test_every_filled_cell_is_the_files():
    dataset = ready("horse_colic", "scaling=none")
    rows = delimited(covers.DATA / "horse-colic" / "horse-colic.csv")
    assert sum(cell == "?" for row in rows for cell in row) == 1605
    found = by_number(dataset)
    assert len(found) == len(rows) == 300
    assert [bool(size) for size in dataset.spec.source.cardinalities] == [place not in NUMBERS for place in PLACES]
    trained = dataset.splits["train"].index.tolist()
    for column, place in enumerate(PLACES):
        if place in NUMBERS:
            filled = [float(rows[n][place]) for n in trained if rows[n][place] != "?"]
            for number, row in enumerate(rows):
                expected = np.mean(filled) if row[place] == "?" else float(row[place])
                np.testing.assert_allclose(float(found[number][0][column]), expected, rtol=1e-5)
        else:
            known = dataset.preprocessing.categories_[dataset.spec.source.names[column]]
            for number, row in enumerate(rows):
                cell = row[place].replace("?", "")
                assert int(found[number][0][column]) == (known.index(cell) + 1 if cell in known else 0)
    names = dataset.spec.label.names
    assert [names[int(found[n][1])] for n in range(300)] == [{"1": "yes", "2": "no"}[row[23]] for row in rows]


def test_known_counts():
    held = counts(ready("horse_colic", "scaling=none"))
    assert [sum(one) for one in zip(*held.values(), strict=True)] == [109, 191]
    assert [sum(one) for one in held.values()] == [240, 30, 30]
    assert ready("horse_colic", "scaling=none").digest.startswith("2b374bef0c57e7bb")

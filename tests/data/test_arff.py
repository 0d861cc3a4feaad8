"""The ARFF reader against SciPy's on dense files, and against rows split by hand on sparse ones; the Mulan sets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.io import arff as scipy_arff

from assay.data.arff import read_arff
from assay.data.mulan import label_names
from assay.errors import ConfigError
from tests import covers
from tests.data.published import ready

HEAD = """% made here
@RELATION 'a b'

@attribute x NUMERIC
@attribute 'two words' {no, 'not yet', yes}
@Attribute z real
"""


def test_dense_rows_quotes_comments_and_gaps():
    attributes, table = read_arff(HEAD + "@DATA\n% none\n1, 'not yet' ,-2e3\n?,yes,0\n\n3.5,no,?\n", "a.arff")
    assert [(one.name, one.numeric, one.values) for one in attributes] == [
        ("x", True, ()),
        ("two words", False, ("no", "not yet", "yes")),
        ("z", True, ()),
    ]
    assert table.cells == {"x": ["1", "?", "3.5"], "two words": ["not yet", "yes", "no"], "z": ["-2e3", "0", "?"]}
    assert table.lines == [9, 10, 12]


def test_a_sparse_row_leaves_out_zeros_and_first_values():
    _, table = read_arff(HEAD + "@data\n{0 4, 1 'not yet'}\n{}\n{ 2 -1.5 }\n{1 ?,2 7}\n", "a.arff")
    assert table.cells["x"] == ["4", "0", "0", "0"]
    assert table.cells["two words"] == ["not yet", "no", "no", "?"]
    assert table.cells["z"] == ["0", "0", "-1.5", "7"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("@data\n1,no\n", "line 8: expected 3 cells, found 2"),
        ("@data\n1,maybe,2\n", "line 8: two words='maybe' is none of no, not yet, yes"),
        ("@data\n1,'no,2\n", "line 8: a quote does not end, or stands within a cell"),
        ("@data\n{0 1, 3 2}\n", "line 8: place 3 follows 0; they rise, up to 2"),
        ("@data\n{1 no, 0 2}\n", "line 8: place 0 follows 1; they rise, up to 2"),
        ("@data\n{0 1}, {5}\n", "line 8: a sparse row is one {…}, without a weight after it"),
        ("@data\n{0: 1}\n", "line 8: expected a place and a cell, found '0: 1'"),
        ("@data\n", "holds no rows after @data"),
        ("@attribute d date\n", "line 7: the type date of d is not read; known are numeric, string and {…}"),
        ("@attribute x real\n@data\n1,no,2,3\n", "has two attributes named 'x'"),
        ("1,no,2\n", "line 7: expected @relation, @attribute or @data, found '1,no,2'"),
    ],
)
def test_what_is_refused(text, line):
    with pytest.raises(ConfigError) as refusal:
        read_arff(HEAD + text, "a.arff")
    assert line in str(refusal.value)


@pytest.mark.parametrize("name", ["emotions", "yeast"])
def test_dense_files_are_as_scipy_reads_them(name):
    if not covers.at_hand(name):
        pytest.skip(f"the files of data={name} are not at hand (ASSAY_DATA or ../shared/data)")
    for split in ("train", "test"):
        path = covers.DATA / "mulan" / name / f"{name}-{split}.arff"
        theirs, meta = scipy_arff.loadarff(path)
        attributes, table = read_arff(path.read_text(), path.name)
        assert table.header == list(meta.names())
        for attribute in attributes:
            found = [float(cell) for cell in table.cells[attribute.name]]
            np.testing.assert_array_equal(found, theirs[attribute.name].astype(float))


def sparse_by_hand(path) -> np.ndarray:
    rows = [line.strip() for line in path.read_text().split("@data")[1].splitlines() if line.strip()]
    x = np.zeros((len(rows), 1054), np.float32)
    for number, row in enumerate(rows):
        for pair in row[1:-1].split(","):
            place, value = pair.split()
            x[number, int(place)] = float(value)
    return x


COUNTS = {"emotions": (391, 202, 72, 6), "yeast": (1500, 917, 103, 14), "enron": (1123, 579, 1001, 53)}


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_the_published_sets(name):
    dataset = ready(name, "scaling=none")
    train, test, features, labels = COUNTS[name]
    assert len(dataset.splits["test"]) == test
    assert len(dataset.splits["train"]) + len(dataset.splits["val"]) == train
    assert dataset.spec.source.shape == (features,)
    folder = covers.DATA / "mulan" / name
    assert dataset.spec.label.names == tuple(label_names((folder / f"{name}.xml").read_bytes()))
    assert dataset.spec.label.shape == (labels,)
    assert not any(dataset.spec.source.cardinalities)  # 0 and 1 are numbers
    expected = {}
    for start, split in ((0, "train"), (train, "test")):
        path = folder / f"{name}-{split}.arff"
        if name == "enron":
            values = sparse_by_hand(path)
        else:
            held = scipy_arff.loadarff(path)[0]
            values = np.array([[float(cell) for cell in row] for row in held.tolist()], np.float32)
        expected |= {start + number: row for number, row in enumerate(values)}
    header = list(read_arff((folder / f"{name}-train.arff").read_text(), name)[1].header)
    order = [header.index(label) for label in dataset.spec.label.names]
    inputs = [place for place in range(len(header)) if place not in order]
    for examples in dataset.splits.values():
        batch = examples.gather(torch.arange(len(examples)))
        for number, source, label in zip(batch["index"].tolist(), batch["source"], batch["label"], strict=True):
            np.testing.assert_array_equal(source.numpy(), expected[number][inputs])
            np.testing.assert_array_equal(label.numpy(), expected[number][order])

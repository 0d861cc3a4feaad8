from __future__ import annotations

import subprocess
import sys

import pytest

from assay.data.delimited import check_table, check_text, read_table, read_text
from assay.errors import ConfigError

TEXT = {
    "text": "text",
    "label": "label",
    "val_path": None,
    "test_path": None,
    "target": "auto",
    "label_separator": None,
    "delimiter": None,
    "encoding": None,
}
TABLE = {
    "label": "label",
    "features": None,
    "categories": None,
    "val_path": None,
    "test_path": None,
    "target": "auto",
    "delimiter": None,
    "encoding": None,
    "missing": ["", "?", "NA"],
    "impute": {"_target_": "assay.data.preprocessing.impute.Mean"},
}
GOOD = [f"words {number},{'good' if number % 2 else 'bad'}" for number in range(20)]  # lines 2 to 21


def texts(path, *lines, header="text,label"):
    path.write_text("\n".join([header, *lines]) + "\n")
    return str(path)


def broken(number, line):
    """GOOD with the row on line ``number`` replaced."""
    rows = list(GOOD)
    rows[number - 2] = line
    return rows


def refusal_of(check, config) -> str:
    with pytest.raises(ConfigError) as refusal:
        check(config)
    message = str(refusal.value)
    assert "\n" not in message
    return message


TWELVE = {
    "missing cell": (broken(7, "only a text"), "line 7: expected 2 cells, found 1"),
    "a cell too many": (broken(9, "one, two,good"), "line 9: expected 2 cells, found 3; quote cells that hold a comma"),
    "empty text": (broken(12, "  ,good"), "line 12: the text in column text is empty"),
    "empty label": (broken(3, "words,"), "line 3: the label label is empty"),
    "open quote": (broken(18, '"never closed,good'), "line 18: the quote opened in this row never closes"),
    "stray quote": (broken(5, '"a" b,good'), "line 5: a quoted cell goes on after its closing quote"),
    "after two lines in a cell": (['"two\nlines",good', *GOOD[:9], "x"], "line 13: expected 2 cells, found 1"),
    "one class": ([f"words {n},good" for n in range(20)], "only one class, label=good, in 20 rows"),
    "every label its own": ([f"words,name{n}" for n in range(20)], "label differs in every row"),
    "header only": ([], "holds a header and no rows"),
    "a number that is none": (
        [f"words {n},{n / 7}" for n in range(30)] + ["words,abc"],
        "line 32: label='abc' is not a number, as most labels are",
    ),
    "too few": (GOOD[:5], "has 5 rows; at least 10 are needed"),
}


@pytest.mark.parametrize("name", TWELVE)
def test_twelve_broken_tables_of_text(tmp_path, name):
    lines, expected = TWELVE[name]
    path = texts(tmp_path / "my reviews.csv", *lines)
    message = refusal_of(check_text, {**TEXT, "path": path})
    assert expected in message
    assert "my reviews.csv" in message


def test_files_that_are_not_there_or_not_files(tmp_path):
    path = texts(tmp_path / "reviews.csv", *GOOD)
    wrong = str(tmp_path / "review.csv")
    message = refusal_of(check_text, {**TEXT, "path": wrong})
    assert message.endswith(f"is not there; did you mean {path}?")
    assert "is a folder" in refusal_of(check_text, {**TEXT, "path": str(tmp_path)})
    assert "nor is its folder" in refusal_of(check_text, {**TEXT, "path": str(tmp_path / "no" / "a.csv")})
    (tmp_path / "empty.csv").touch()
    assert "is empty" in refusal_of(check_text, {**TEXT, "path": str(tmp_path / "empty.csv")})


def test_columns_that_are_not_there(tmp_path):
    path = texts(tmp_path / "a.csv", *GOOD, header="Text,label")
    message = refusal_of(check_text, {**TEXT, "path": path})
    assert "has no column 'text'; did you mean data.text=Text? (columns: Text, label)" in message
    path = texts(tmp_path / "b.csv", *GOOD, header="text,text")
    assert "line 1: the column 'text' appears 2 times" in refusal_of(check_text, {**TEXT, "path": path})
    assert "cannot be its own label" in refusal_of(check_text, {**TEXT, "path": path, "label": "text"})


def test_the_test_file_may_hold_nothing_new(tmp_path):
    path = texts(tmp_path / "a.csv", *GOOD)
    test = texts(tmp_path / "test.csv", "x,good", "y,ugly")
    message = refusal_of(check_text, {**TEXT, "path": path, "test_path": test})
    assert "test.csv, line 3: the label label='ugly' is not in the training file (bad, good)" in message
    test = texts(tmp_path / "test.csv", "x,good", header="text,stars")
    assert "test.csv has no column 'label'" in refusal_of(check_text, {**TEXT, "path": path, "test_path": test})


@pytest.mark.parametrize(
    ("labels", "config", "kind", "names"),
    [
        (["good", "bad"] * 10, {}, "class", ("bad", "good")),
        (["5", "1", "10", "1.0"] * 5, {}, "class", ("1", "5", "10")),
        (["0.5", "1.5"] * 10, {}, "number", ()),
        ([str(n) for n in range(21)] * 2, {}, "number", ()),
        ([str(n) for n in range(20)] * 2, {}, "class", tuple(map(str, range(20)))),
        (["0.5", "1.5"] * 10, {"target": "class"}, "class", ("0.5", "1.5")),
        (["1", "2"] * 10, {"target": "number"}, "number", ()),
        (["a|b", "", "b", " a "] * 5, {"label_separator": "|"}, "labels", ("a", "b")),
    ],
)
def test_targets_found_and_overridden(tmp_path, labels, config, kind, names):
    path = texts(tmp_path / "a.csv", *(f"text {n};{label}" for n, label in enumerate(labels)), header="text;label")
    settings = {**TEXT, "path": path, **config}
    assert check_text(settings) == {kind}
    settings.pop("batch_size", None)
    target = read_text(**settings).target
    assert target.kind == kind
    assert target.names == names
    assert "label" in target.note


def test_several_columns_of_labels(tmp_path):
    path = texts(tmp_path / "a.csv", *(f"t{n},{n % 2},{int(n < 5)}" for n in range(12)), header="text,a,b")
    target = read_text(**{**TEXT, "path": path, "label": ["a", "b"]}).target
    assert target.kind == "labels"
    assert target.values["train"][:2] == [[0, 1], [1, 1]]
    path = texts(tmp_path / "b.csv", *(f"t{n},{n % 2},{n % 3}" for n in range(12)), header="text,a,b")
    message = refusal_of(check_text, {**TEXT, "path": path, "label": ["a", "b"]})
    assert "line 4: b is '2'; a column of several labels holds 0 or 1" in message


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"target": "labels"}, "data.target=labels needs several columns"),
        ({"target": "class", "label_separator": "|"}, "data.label_separator=| gives more: use data.target=labels"),
        ({"target": "stars"}, "data.target=stars is none of auto, class, labels, number"),
        ({"target": "number"}, "line 2: label='bad' is not a number; mend it, or use data.target=class"),
        ({"delimiter": "::"}, "data.delimiter='::' is not one character"),
        ({"label": []}, "data.label=[] names no column"),
    ],
)
def test_settings_that_do_not_fit(tmp_path, config, message):
    path = texts(tmp_path / "a.csv", *GOOD)
    assert message in refusal_of(check_text, {**TEXT, "path": path, **config})


def table(path, rows, header="age,colour,label"):
    path.write_text("\n".join([header, *rows]) + "\n")
    return str(path)


ROWS = [f"{n + 0.5},{'red' if n % 3 else 'blue'},{n % 2}" for n in range(30)]  # lines 2 to 31


def test_a_table_of_columns(tmp_path):
    path = table(tmp_path / "a.csv", ROWS)
    assert check_table({**TABLE, "path": path}) == {"class"}
    found = read_table(path, "label", missing=["?"])
    assert found.features == ("age", "colour")
    assert found.numeric == (True, False)
    assert found.rows["train"][1] == ("1.5", "red")
    assert read_table(path, "label", categories=["age"]).numeric == (False, False)
    assert read_table(path, "label", features=["colour"]).features == ("colour",)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("abc,red,1", "line 17: age='abc' is not a number; mend it, name it as empty in data.missing, or make it a "),
        ("1_000,red,1", "line 17: age='1_000' is not a number"),
        ("inf,red,1", "line 17: age='inf' is not a finite number"),
        ("NAN,red,1", "line 17: age='NAN' is not a finite number"),
        ("1,red,?", "line 17: the label label is '?', which data.missing lists as empty"),
        ("1,red", "line 17: expected 3 cells, found 2"),
    ],
)
def test_bad_cells_by_line(tmp_path, row, message):
    path = table(tmp_path / "a.csv", [*ROWS[:15], row, *ROWS[16:]])
    assert f"a.csv, {message}" in refusal_of(check_table, {**TABLE, "path": path})


def test_empty_cells_are_refused_only_where_nothing_fills_them(tmp_path):
    path = table(tmp_path / "a.csv", [*ROWS[:9], "?,red,1", *ROWS[10:]])
    assert check_table({**TABLE, "path": path}) == {"class"}
    config = {**TABLE, "path": path, "impute": {"_target_": "assay.data.preprocessing.impute.NoImputation"}}
    message = refusal_of(check_table, config)
    assert "line 11: age is '?', which counts as empty; fill it in, or use impute=mean" in message


def test_columns_that_teach_nothing_or_too_much(tmp_path):
    path = table(tmp_path / "a.csv", [f"{n},x,{n % 2}" for n in range(20)])
    config = {**TABLE, "path": path}
    for setting, message in [
        ({"features": ["age", "label"]}, "which is data.label: the answer cannot be an input"),
        ({"features": ["age", "age"]}, "names age twice"),
        ({"features": ["agee"]}, "did you mean data.features=age?"),
        ({"features": []}, "data.features=[] leaves nothing"),
        ({"categories": ["colr"]}, "data.categories names 'colr'; did you mean colour?"),
        ({"label": "lable"}, "did you mean data.label=label?"),
    ]:
        assert message in refusal_of(check_table, {**config, **setting})
    path = table(tmp_path / "b.csv", [f",x,{n % 2}" for n in range(20)])
    assert "age is empty in every row" in refusal_of(check_table, {**TABLE, "path": path})
    path = table(tmp_path / "c.csv", [f"{n};1,5;{n % 2}" for n in range(20)], header="age;price;label")
    assert "line 2: price='1,5' writes decimals with a comma" in refusal_of(check_table, {**TABLE, "path": path})


def test_the_test_file_is_held_to_the_training_columns(tmp_path):
    path = table(tmp_path / "a.csv", ROWS)
    test = table(tmp_path / "t.csv", ["red,1"], header="colour,label")
    assert "t.csv has no column 'age'" in refusal_of(check_table, {**TABLE, "path": path, "test_path": test})
    test = table(tmp_path / "t.csv", ["1,red,1", "old,red,0"])
    assert "t.csv, line 3: age='old' is not a number" in refusal_of(
        check_table, {**TABLE, "path": path, "test_path": test}
    )


def test_what_preflight_imports_brings_no_heavy_library():
    modules = "delimited download image_files strings table_file targets preprocessing.inputs"
    program = (
        "import sys, importlib\n"
        f"for name in {modules.split()!r}: \n"
        "    if name != 'preprocessing.inputs': importlib.import_module('assay.data.' + name)\n"
        "print(sorted({'torch', 'numpy', 'pandas', 'sklearn', 'PIL', 'pytorch_lightning'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"

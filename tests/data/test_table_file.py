from __future__ import annotations

import pytest

from assay.data.table_file import find_delimiter, find_encoding, read_columns
from assay.errors import ConfigError

PROSE = [
    ("a fine film, warm; and long", "good"),
    ('he said "no", twice', "bad"),
    ("two\nlines | and a bar", "bad"),
    ("tabs\there", "good"),
]


def write(path, rows, sign=",", encoding="utf-8"):
    import csv

    with open(path, "w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=sign).writerows(rows)
    return str(path)


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_delimiter_and_encoding_are_found_and_cells_come_back(tmp_path, sign, encoding):
    rows = [("text", "label"), *PROSE, ("crème brûlée – €5", "good")]
    path = write(tmp_path / "a.csv", rows, sign, encoding)
    columns = read_columns(path)
    assert list(zip(columns.cells["text"], columns.cells["label"], strict=True)) == rows[1:]
    assert columns.lines == [2, 3, 4, 6, 7]  # one cell holds two lines
    assert find_delimiter(path, encoding, None) == sign
    assert find_encoding(path) == encoding


def test_named_columns_decide_between_delimiters(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,y;label\n1,2;a\n3,4;b\n")  # both signs cut every row in two
    assert find_delimiter(str(path), "utf-8", None, ["label"]) == ";"
    assert read_columns(str(path), ["x,y", "label"]).cells["x,y"] == ["1,2", "3,4"]


@pytest.mark.parametrize(
    ("given", "sign"), [("tab", "\t"), ("comma", ","), ("\\t", "\t"), ("semicolon", ";"), ("~", "~")]
)
def test_delimiters_by_name(tmp_path, given, sign):
    path = tmp_path / "a.csv"
    path.write_text(f"a{sign}b\n1{sign}2\n")
    assert read_columns(str(path), delimiter=given).cells == {"a": ["1"], "b": ["2"]}


def test_blank_lines_are_skipped_and_lines_still_right(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"\r\na,b\r\n1,2\r\n\r\n\r\n3,4\r\n")
    assert read_columns(str(path)).lines == [3, 6]


def test_a_column_without_a_name_is_left_out_with_a_note(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(",a,b\n0,1,2\n1,3,4\n")
    columns = read_columns(str(path))
    assert list(columns.cells) == ["a", "b"]
    assert any("column 1 has no name" in note for note in columns.notes)


def test_a_cell_longer_than_the_csv_module_likes(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"a,b\n{'x' * 200_000},2\n")
    assert len(read_columns(str(path)).cells["a"][0]) == 200_000


@pytest.mark.parametrize(
    "name", ["two words.csv", "it's.csv", 'a "b".csv', "a,b.csv", "a=b.csv", "[x]{y}.csv", "é.csv"]
)
def test_odd_file_names(tmp_path, name):
    path = tmp_path / name
    path.write_text("a,b\n1,2\n")
    assert read_columns(str(path)).cells["b"] == ["2"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04rest", "a zip archive or Excel workbook: save the sheet as CSV"),
        (b"\x1f\x8brest", "compressed by gzip: unpack it first"),
        ("a,b\nä,1\nö,2\n".encode() + b"x\xff,3\n", "line 4: the byte 0xff is not UTF-8, as the rest of the file is"),
        (b"a,b\n1,2\n\x81\xe9,3\n", "line 3: the byte 0x81 is neither UTF-8 nor Windows-1252"),
        (b"a,b\n1,2\n\x003,4\n", "line 3: a NUL byte"),
        ("a,b\n1,2\n".encode("utf-16-le"), "line 1: a NUL byte"),
        (b"text only\nmore\n", "line 1: only one column, 'text only'"),
    ],
)
def test_files_that_are_no_tables(tmp_path, content, message):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as refusal:
        read_columns(str(path))
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_encoding_given_wrongly(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("a,b\n1,2\né,3\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="line 3: the byte 0xe9 is not utf-8"):
        read_columns(str(path), encoding="utf-8")
    with pytest.raises(ConfigError, match="utf9 is unknown"):
        read_columns(str(path), encoding="utf9")


def test_a_bad_byte_past_the_first_block_is_named_by_its_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n" + b"1,2\n" * 400_000 + b"\x81,2\n")
    with pytest.raises(ConfigError, match="line 400002: the byte 0x81"):
        read_columns(str(path))

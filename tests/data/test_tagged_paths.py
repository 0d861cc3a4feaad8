"""The user's tagged files: their form is found, splits have their files, refusals name them."""

from __future__ import annotations

import pytest

from assay.data.tagged_paths import check_tagged, looks_like_lines, read_files
from assay.errors import ConfigError

COLUMNS = "".join(f"w{n} N B-x\nv{n} V I-x\n\n" for n in range(12))
LINES = "".join(f"w{n} v{n}\tB-x O\n" for n in range(12))


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


def parallel(folder, count=12, intents=True):
    write(folder / "seq.in", "".join(f"w{n} v{n}\n" for n in range(count)))
    write(folder / "seq.out", "O B-x\n" * count)
    if intents:
        write(folder / "label", "ask\n" * count)
    return str(folder)


@pytest.mark.parametrize(("text", "lines"), [(COLUMNS, False), (LINES, True), ("a\tO\nb\tO\n", False), ("", False)])
def test_the_form_is_found(text, lines):
    assert looks_like_lines(text) is lines


def test_columns_and_lines(tmp_path):
    files = read_files(write(tmp_path / "a b,[1].conll", COLUMNS), features=["pos:2"])
    assert (len(files.held["train"]), files.scheme) == (12, "iob2")
    assert files.held["train"].features["pos"][0] == ["N", "V"]
    assert files.layout.columns() == {"words": 1, "pos": 2}
    files = read_files(write(tmp_path / "a.txt", LINES))
    assert files.held["train"].tags[3] == ["B-x", "O"]
    assert files.layout is None
    with pytest.raises(ConfigError, match="has 1 sentence; at least 10"):  # read as columns it is one
        read_files(str(tmp_path / "a.txt"), format="columns")


def test_a_folder_and_a_folder_of_folders(tmp_path):
    files = read_files(parallel(tmp_path / "one"))
    assert files.held["train"].intents == ["ask"] * 12
    for name in ("train", "valid", "test"):
        parallel(tmp_path / "all" / name, 3 if name != "train" else 5)
    files = read_files(str(tmp_path / "all"))
    assert {split: len(held) for split, held in files.held.items()} == {"train": 5, "val": 3, "test": 3}
    other = read_files(str(tmp_path / "all"), test_path=parallel(tmp_path / "else", 7))
    assert len(other.held["test"]) == 7


def test_facts(tmp_path):
    keys = {"words": 1, "tags": -1, "features": [], "val_path": None, "test_path": None, "format": "auto"}
    keys |= {"scheme": "auto", "delimiter": None, "encoding": None, "tagger": None}
    path = write(tmp_path / "a.conll", COLUMNS)
    assert check_tagged({**keys, "path": path}) == {"iob2"}
    assert check_tagged({**keys, "path": path, "features": [2]}) == {"iob2", "features"}
    assert check_tagged({**keys, "path": path, "scheme": "none"}) == set()
    assert check_tagged({**keys, "path": parallel(tmp_path / "one")}) == {"iob2", "intent"}
    with pytest.raises(ConfigError, match="nowhere"):
        check_tagged({**keys, "path": path, "tagger": "nowhere"})


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"path": "absent.conll"}, "absent.conll is not there"),
        ({"path": "empty"}, "empty is empty: it holds no sentence"),
        ({"path": "few"}, "few has 3 sentences; at least 10 are needed to cut"),
        ({"path": "folder"}, "folder is a folder without seq.in"),
        ({"path": "one", "features": [2]}, "one has a sentence a line, and no columns: leave out data.features"),
        ({"path": "one", "format": "columns"}, "data.format=columns reads one file; one is a folder"),
        ({"path": "lines", "features": [2]}, "lines has a sentence a line, and no columns"),
        ({"path": "lines", "format": "conll"}, "data.format=conll is none of auto, columns, lines"),
        ({"path": "one", "test_path": "none"}, "none/seq.out has no intents, unlike one/seq.out"),
        ({"path": "same"}, "same: every word has the tag O; two tags are the least"),
        ({"path": "bad"}, "bad, line 3: the byte 0x9d is neither UTF-8 nor Windows-1252"),
    ],
)
def test_refusals(tmp_path, monkeypatch, keys, line):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "empty", "")
    write(tmp_path / "few", "a O\n\nb B-x\n\nc O\n")
    write(tmp_path / "lines", LINES)
    write(tmp_path / "same", "a O\n\n" * 12)
    (tmp_path / "bad").write_bytes(b"a O\n\nb\x9d O\n")
    (tmp_path / "folder").mkdir()
    parallel(tmp_path / "one")
    parallel(tmp_path / "none", intents=False)
    with pytest.raises(ConfigError) as caught:
        read_files(**keys)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)

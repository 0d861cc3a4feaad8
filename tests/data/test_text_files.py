"""Which bytes of which files are training, validation and test."""

from __future__ import annotations

import pytest

from assay.data.text_files import find, splits_of
from assay.errors import ConfigError

SHARES = (0.2, 0.1)


def text(regions) -> bytes:
    found = b""
    for one in regions:
        with open(one.path, "rb") as file:
            file.seek(one.begin)
            found += file.read(one.stop - one.begin)
    return found


def lines(count: int, word: str = "word") -> bytes:
    return b"".join(f"{word} {n}\n".encode() for n in range(count))


@pytest.mark.parametrize("count", [10, 11, 57, 1000])
def test_what_is_cut_is_all_of_the_text_once_and_in_order(tmp_path, count):
    path = tmp_path / "a.txt"
    path.write_bytes(lines(count))
    splits, notes = splits_of(str(path), None, None, *SHARES)
    parts = [text(splits[split]) for split in ("train", "val", "test")]
    assert b"".join(parts) == lines(count)
    assert all(part.endswith(b"\n") for part in parts)
    for part, share in zip(parts, (0.7, 0.2, 0.1), strict=True):
        assert abs(len(part) - share * len(lines(count))) <= 8  # a line
    assert notes == ["cut from the end of the text: 0.2 for val and 0.1 for test"]


def test_several_files_are_one_text(tmp_path):
    for name, count in (("b", 30), ("a", 5), ("c", 65)):
        (tmp_path / f"{name}.txt").write_bytes(lines(count, name))
    (tmp_path / "empty.txt").touch()
    (tmp_path / "notes.md").write_text("no text of ours\n")
    splits, _ = splits_of(str(tmp_path), None, None, *SHARES)
    whole = lines(5, "a") + lines(30, "b") + lines(65, "c")
    assert b"".join(text(splits[split]) for split in ("train", "val", "test")) == whole
    assert [region.path[-5:] for region in splits["train"]] == ["a.txt", "b.txt", "c.txt"]


@pytest.mark.parametrize("content", [("word " * 3000).encode(), "ä漢字".encode() * 500_000])
def test_a_text_without_lines_is_cut_between_words_or_else_characters(tmp_path, content):
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    splits, _ = splits_of(str(path), None, None, *SHARES)
    parts = [text(splits[split]) for split in ("train", "val", "test")]
    assert b"".join(parts) == content
    for part in parts:
        part.decode("utf-8")
        assert b" " not in content or part.endswith(b" ")


def test_given_files_are_their_splits_and_not_trained_on(tmp_path):
    for name in ("a", "b", "valid"):
        (tmp_path / f"{name}.txt").write_bytes(lines(20, name))
    valid = str(tmp_path / "valid.txt")
    splits, notes = splits_of(str(tmp_path), valid, None, *SHARES)
    assert text(splits["val"]) == lines(20, "valid")
    assert text(splits["train"]) + text(splits["test"]) == lines(20, "a") + lines(20, "b")
    assert notes == [
        "files of data.path that are validation or test files, and not trained on: 1",
        "cut from the end of the text: 0.1 for test",
    ]
    splits, notes = splits_of(f"{tmp_path}/[ab].txt", valid, valid.replace("valid", "a"), *SHARES)
    assert text(splits["train"]) == lines(20, "b")


def test_names_with_odd_characters_and_deep_folders(tmp_path):
    inner = tmp_path / "x [1]" / "deep"
    inner.mkdir(parents=True)
    (inner / "a,b='c'.txt").write_bytes(lines(3))
    (inner.parent / "0.txt").write_bytes(lines(3))
    assert [path[-5:] for path in find(str(tmp_path / "x [1]"))] == ["0.txt", "c'.txt"[-5:]]
    assert find(str(inner / "a,b='c'.txt")) == [str(inner / "a,b='c'.txt")]


def refused(match, *words):
    with pytest.raises(ConfigError, match=match):
        splits_of(*words, *SHARES)


def test_what_cannot_be_found_or_cut_is_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes(lines(20))
    (tmp_path / "one.txt").write_text("one line\n")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "folder").mkdir()
    a, one, empty = (str(tmp_path / f"{name}.txt") for name in ("a", "one", "empty"))
    refused(r"^data\.path=.*no\.txt is not there", str(tmp_path / "no.txt"), None, None)
    refused(r"^data\.val_path=.*no\.txt is not there", a, str(tmp_path / "no.txt"), None)
    refused(r"is a folder without \.txt files", str(tmp_path / "folder"), None, None)
    refused(r"^every file of data\.path is in data\.val_path", a, a, None)
    refused(r"is in both data\.val_path and data\.test_path", a, one, one)
    refused(r"^the (val|test) split of data\.path=.* has no text: give more text", one, None, None)
    refused(r"^the train split of data\.path=.* has no text", empty, None, None)
    refused(r"^the val split .* has no text: name another file", a, empty, None)

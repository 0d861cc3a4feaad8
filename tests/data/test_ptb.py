"""Penn Treebank: the published counts, the published text."""

from __future__ import annotations

import pytest
import torch

from assay.preflight import compose
from assay.targets import build
from tests import covers
from tests.data.published import ready


def test_counts_and_vocabulary_are_the_published_ones():
    dataset = ready("ptb")
    assert [dataset.counts[split]["tokens"] for split in ("train", "val", "test")] == [929_589, 73_760, 82_430]
    assert dataset.counts["train"]["types"] == 10_000
    names = dataset.spec.source.names
    assert len(names) == len(set(names)) == 10_001  # and padding
    assert {"<unk>", "<eos>", "N"} < set(names)
    words = (covers.DATA / "ptb" / "ptb.test.txt").read_text().split()
    assert dataset.counts["test"]["unknown"] == words.count("<unk>")


def test_every_word_of_the_test_file_is_asked_for_in_its_order():
    dataset = ready("ptb")
    label = dataset.splits["test"].column("label")
    words = [dataset.spec.label.names[number] for number in label[label >= 0].tolist()]
    lines = (covers.DATA / "ptb" / "ptb.test.txt").read_text().splitlines()
    assert words == [word for line in lines for word in [*line.split(), "<eos>"]]
    batch = dataset.splits["test"].gather(torch.arange(1))
    assert dataset.preprocessing.show(batch["source"][0]).startswith("<eos> no it was n't black monday <eos> but")
    assert dataset.splits["test"].column("fresh").sum() == 1


def test_training_is_dealt_to_the_rows_of_a_batch():
    dataset = ready("ptb")
    assert (dataset.ordered, dataset.evaluation_batch_size, len(dataset.splits["train"])) == (True, 1, 20 * 2324)


@pytest.mark.slow
def test_characters_are_those_of_the_same_lines():
    dataset = ready("ptb", "data.level=char")
    assert [dataset.counts[split]["tokens"] for split in ("train", "val", "test")] == [5_017_482, 393_042, 442_423]
    assert dataset.counts["train"]["types"] == 50
    assert dataset.digest == ready("ptb").digest  # the same text
    ids = dataset.splits["test"].gather(torch.arange(3))["label"].flatten().tolist()
    assert dataset.preprocessing.decode(ids) == "no it was n't black monday\nbut while the new york stock exch"


def test_tokenizers_do_not_reach_it():
    if not covers.at_hand("ptb"):
        pytest.skip("the files of data=ptb are not at hand (ASSAY_DATA or ../shared/data)")
    point = compose(("data=ptb", *covers.DOWNLOADS))
    assert build(point.config["data"]).tokenizer.to_json()["type"] == "whitespace"

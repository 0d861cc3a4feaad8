"""A user's text: what is predicted is the text, whole, once; the same in memory and from a file."""

from __future__ import annotations

import io
import json

import pytest
import torch
from rich.console import Console

from assay import preflight
from assay.data.card import card
from assay.data.corpus import Corpus
from assay.data.describe import describe
from assay.data.examples import Examples
from assay.data.tokenizers.char import Char
from assay.data.tokenizers.whitespace import Whitespace
from assay.errors import ConfigError
from tests import covers


def write(path, lines=300):
    path.write_text("".join(f"line {n} of word{n % 37} and more\n" + "\n" * (n % 10 == 9) for n in range(lines)))
    return str(path)


def ready(path, tokenizer=None, **keys) -> Corpus:
    keys = {"length": 7, "batch_size": 4, "val_share": 0.1, "test_share": 0.1, **keys}
    dataset = Corpus(path, tokenizer or Whitespace(), **keys)
    dataset.setup()
    return dataset


def asked(dataset, split) -> list[int]:
    """The tokens of a split in the order of the text."""
    examples = dataset.splits[split]
    label = examples.column("label")
    if dataset.ordered:
        tracks = dataset.batch_size if split == "train" else dataset.evaluation_batch_size
        label = label.view(-1, tracks, label.shape[1]).transpose(0, 1).flatten(0, 1)
    return label[label >= 0].tolist()


@pytest.mark.parametrize("order", ["stream", "shuffled"])
@pytest.mark.parametrize("mapped", [False, True])
def test_the_splits_together_are_the_text(tmp_path, order, mapped):
    path = write(tmp_path / "a.txt")
    dataset = ready(path, Char(), order=order, mapped=mapped, root=str(tmp_path))
    text = "".join(dataset.preprocessing.decode(asked(dataset, split)) for split in ("train", "val", "test"))
    assert text == (tmp_path / "a.txt").read_text()
    for split, counts in dataset.counts.items():
        assert counts["tokens"] == counts["characters"] == len(asked(dataset, split))
    assert (tmp_path / "tokens").exists() == mapped


@pytest.mark.parametrize("keys", [{}, {"order": "shuffled", "stride": 3}, {"breaks": "blank_lines"}])
def test_in_memory_and_from_a_file_the_same_bits(tmp_path, keys):
    path = write(tmp_path / "a.txt")
    held, mapped = (ready(path, mapped=mapped, root=str(tmp_path), **keys) for mapped in (False, True))
    assert held.digest == mapped.digest
    assert held.spec == mapped.spec
    assert held.counts == mapped.counts
    for split in held.splits:
        a, b = (one.splits[split].gather(torch.arange(len(one.splits[split])).flip(0)) for one in (held, mapped))
        assert all(torch.equal(a[name], b[name]) for name in a)


def test_small_texts_are_in_memory_and_large_ones_are_not(tmp_path, monkeypatch):
    path = write(tmp_path / "a.txt")
    ready(path, root=str(tmp_path))
    assert not (tmp_path / "tokens").exists()
    monkeypatch.setattr("assay.data.corpus_switches.MAPPED_FROM", 1000)
    assert any("tokenised into" in note for note in ready(path, root=str(tmp_path)).notes)


def test_the_vocabulary_is_the_training_splits(tmp_path):
    (tmp_path / "train.txt").write_text("a b\nb c\n" * 50)
    (tmp_path / "val.txt").write_text("a secret\n" * 20)
    paths = {"val_path": str(tmp_path / "val.txt"), "test_path": write(tmp_path / "test.txt", 20)}
    dataset = ready(str(tmp_path / "train.txt"), **paths)
    assert dataset.preprocessing.vocabulary == ["<pad>", "<unk>", "b", "a", "c", "<eos>"]
    assert dataset.counts["val"] == {"tokens": 60, "characters": 180, "documents": 1, "types": 3, "unknown": 20}
    assert any("unknown 0.00% / 33.33%" in note for note in dataset.notes)
    assert not any("cut from" in note for note in dataset.notes)


def test_another_models_vocabulary_may_be_used(tmp_path):
    first = ready(write(tmp_path / "a.txt"))
    (tmp_path / "b.txt").write_text("line of other words\n" * 100)
    for mapped in (False, True):
        other = Corpus(str(tmp_path / "b.txt"), Whitespace(), root=str(tmp_path), mapped=mapped, length=7, batch_size=4)
        other.fitted = first.preprocessing
        other.setup()
        assert other.preprocessing.to_json() == first.preprocessing.to_json()
        shown = other.preprocessing.decode(asked(other, "test")[:5])
        assert shown == "line of <unk> <unk>\n"


def test_documents_begin_anew(tmp_path):
    dataset = ready(write(tmp_path / "a.txt"), breaks="blank_lines", length=50)
    examples = dataset.splits["val"]
    batch = examples.gather(torch.arange(len(examples)))
    start = dataset.preprocessing.start_id
    opens = batch["source"][:, 0] == start
    assert torch.equal(opens, batch["fresh"])
    assert int(opens.sum()) == dataset.counts["val"]["documents"] > 1
    assert "\n\n" not in dataset.preprocessing.decode(asked(dataset, "train"))
    assert any(note.startswith("documents: ") for note in dataset.notes)


def test_too_little_text_for_a_batch_is_refused(tmp_path):
    with pytest.raises(
        ConfigError, match=r"the training text has 20 windows of data\.length=90, fewer than data\.batch"
    ):
        ready(write(tmp_path / "a.txt"), length=90, batch_size=32)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["data.path=no.txt"], r"^data\.path=no\.txt is not there"),
        (["data.val_share=0.6", "data.test_share=0.4"], r"leave nothing to train on$"),
        (["data.encoding=utf-16"], r"^data\.encoding=utf-16 cannot be cut at lines"),
        (["data.stride=3"], r"^data\.stride=3 slides windows"),
        (["data.breaks=pages"], r"data\.breaks=pages"),
        (["data.length=0"], r"data\.length=0 is outside its range"),
        (["data.val_share=0"], r"data\.val_share=0 is outside its range"),
        (["stem=image"], r"stem=image"),
    ],
)
def test_what_the_user_can_cause_is_refused_in_one_line(tmp_path, words, said):
    with pytest.raises(ConfigError, match=said) as refusal:
        preflight.compose(["data=corpus", f"data.path={write(tmp_path / 'a.txt')}", *words])
    assert "\n" not in str(refusal.value)


def test_a_place_that_cannot_hold_the_ids_is_refused_before_anything_runs(tmp_path):
    path = write(tmp_path / "a.txt")
    words = ["data=corpus", f"data.path={path}", f"data.root={path}"]
    preflight.compose(words)
    with pytest.raises(ConfigError, match=r"would be kept in .*tokens, and .*a\.txt may not be written to"):
        preflight.compose([*words, "data.mapped=true"])


def test_the_card_and_what_is_shown_count_tokens_and_read_no_split(tmp_path, monkeypatch):
    dataset = ready(write(tmp_path / "a.txt"), mapped=True, root=str(tmp_path))
    expected = {split: len(asked(dataset, split)) for split in dataset.splits}
    monkeypatch.setattr(Examples, "column", lambda *_: pytest.fail("a whole split was read"))
    found = json.loads(json.dumps(card(dataset, "corpus")))
    assert found["sizes"] == expected
    assert found["label"] == {"kind": "tokens", "names": [], "splits": dataset.counts}
    told = io.StringIO()
    console = Console(file=told, width=200)
    for part in describe(dataset, "corpus"):
        console.print(part, markup=False) if isinstance(part, str) else console.print(part)
    shown = told.getvalue()
    assert f"{expected['train']:,}" in shown
    assert "label: tokens of" in shown
    assert "unknown" in shown
    assert "example 0:\n<eos> line 0 of word0 and more" in shown


def test_published_texts_may_be_a_corpus(tmp_path):
    """The same text by another road: the counts of data=ptb."""
    if not covers.at_hand("ptb"):
        pytest.skip("the files of data=ptb are not at hand (ASSAY_DATA or ../shared/data)")
    files = [str(covers.DATA / "ptb" / f"ptb.{split}.txt") for split in ("test", "valid", "valid")]
    (tmp_path / "other.txt").write_bytes((covers.DATA / "ptb" / "ptb.valid.txt").read_bytes())
    dataset = Corpus(files[0], Whitespace(), val_path=files[1], test_path=str(tmp_path / "other.txt"))
    dataset.setup()
    assert dataset.counts["train"]["tokens"] == 82_430
    assert dataset.counts["val"]["tokens"] == dataset.counts["test"]["tokens"] == 73_760

"""Merges and segmentations against the paper's algorithm 1; any text can be encoded; the same in every process."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys

import pytest
import torch

from assay import preflight
from assay.composition import rules
from assay.data.preprocessing import from_json as preprocessing_from_json
from assay.data.preprocessing.text import TextPreprocessing
from assay.data.tokenizers import from_json
from assay.data.tokenizers.bpe import BPE
from assay.errors import ConfigError
from tests.references.bpe import learn, segment

pytest.importorskip("tokenizers", reason="the extra text is not installed")

PAPER = [*["low"] * 5, *["lower"] * 2, *["newest"] * 6, *["widest"] * 3]  # its figure 1 and section 3.2


def untied(seed):
    """A corpus in which no two pairs are ever equally common while the first merges are learnt, and those merges."""
    generator = random.Random(seed)
    while True:
        words = ["".join(generator.choice("abcd") for _ in range(generator.randint(1, 5))) for _ in range(12)]
        corpus = [word for word in words for _ in range(generator.randint(1, 40))]
        merges, alone = learn(corpus, 12, 2)
        if len(merges) == 12 and all(alone):
            return corpus, merges


@pytest.mark.parametrize("seed", range(5))
def test_merges_and_segmentations_are_those_of_algorithm_1(seed):
    corpus, merges = untied(seed)
    characters = set("".join(corpus)) | {"▁"}
    ours = BPE(vocab_size=2 + len(characters) + 12, min_count=2).fit([" ".join(corpus)])
    assert ours.merges_ == merges
    assert ours.vocabulary_[: 2 + len(characters)] == ["<pad>", "<unk>", *sorted(characters)]
    generator = random.Random(seed + 100)
    for word in [*set(corpus), *("".join(generator.choice("abcd") for _ in range(9)) for _ in range(20))]:
        known = set(word) <= characters
        if known:
            assert [ours.vocabulary_[number] for number in ours.encode(word)] == segment(word, merges)


def test_the_example_of_the_paper():
    """Its three first merges tie at nine each; which symbols they make together does not depend on their order."""
    ours = BPE(vocab_size=2 + 11 + 3).fit(PAPER)
    assert ours.merges_[0] == ("e", "s")
    assert ours.vocabulary_[-1] == "est▁"
    assert [ours.vocabulary_[number] for number in ours.encode("newest")] == ["n", "e", "w", "est▁"]


def test_min_count_stops():
    """ "low" seven times, "est▁" nine times: what is rarer than that is not merged."""
    assert "low" in BPE(min_count=7).fit(PAPER).vocabulary_
    assert "low" not in BPE(min_count=8).fit(PAPER).vocabulary_
    assert BPE(min_count=10).fit(PAPER).merges_ == []


def test_case_counts_where_it_is_asked_for():
    kept, lowered = BPE(vocab_size=40, lowercase=False).fit(["LOW low"]), BPE(vocab_size=40).fit(["LOW low"])
    assert kept.encode("LOW") != kept.encode("low")
    assert lowered.encode("LOW") == lowered.encode("low")


@pytest.mark.parametrize("text", ["", " ", "☃", "<pad> <unk>", "▁ a▁b", "ünïcode \n\t x", "\x1c", "a" * 500])
def test_any_text_is_encoded_without_padding(text):
    ids = BPE(vocab_size=40).fit(PAPER).encode(text)
    assert ids
    assert 0 not in ids
    assert max(ids) < 40


def test_a_special_token_in_a_text_is_not_special():
    ours = BPE(vocab_size=60, min_count=1).fit(["<pad> <unk> pad unk"])
    pieces = [ours.vocabulary_[number] for number in ours.encode("<pad> <unk>")]
    assert "<pad>" not in pieces
    assert "<unk>" not in pieces
    assert "".join(pieces) == "<▁pad▁>▁<▁unk▁>▁"


def test_what_is_shown_can_be_read():
    ours = BPE(vocab_size=2 + 11 + 9).fit(PAPER)
    assert ours.show(ours.encode("lowest")) == "low@@ est"
    assert ours.show(ours.encode("low newest, low")).startswith("low newest <unk> low")
    text = TextPreprocessing(BPE(vocab_size=22), 9).fit(PAPER)
    assert text.show(text(["newest low"])["source"].gather(torch.arange(1))[0]) == "newest low"
    assert text.show(text(["lowest"])["source"].gather(torch.arange(1))[0]) == "low@@ est"


def test_characters_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match=r"vocab_size=5 cannot hold the 11 characters .* write 13 or more"):
        BPE(vocab_size=5).fit(PAPER)
    with pytest.raises(ConfigError, match=r"tokenizer\.vocab_size=0"):
        BPE(vocab_size=0)


def test_round_trip_is_plain_json():
    texts = ["The film is unwatchable, the films are not.", "A fine film — ünïcode."] * 3
    made = TextPreprocessing(BPE(vocab_size=60, lowercase=False), 30).fit(texts)
    plain = json.loads(json.dumps(made.to_json()))
    again = preprocessing_from_json(plain)
    others = [*texts, "Unseen filming, 漢字!"]
    ids = torch.arange(len(others))
    assert torch.equal(made(others)["source"].gather(ids), again(others)["source"].gather(ids))
    assert again.to_json() == made.to_json()
    assert from_json(plain["tokenizer"]).encode("films") == made.tokenizer.encode("films")


def test_every_process_learns_the_same():
    """Hash tables of the library are seeded anew in each; ties must not fall as they do."""
    code = (
        "import json; from assay.data.tokenizers.bpe import BPE;"
        "texts = [' '.join(chr(97 + i * j % 26) * (j % 3 + 1) for j in range(30)) for i in range(40)];"
        "print(json.dumps(BPE(vocab_size=120, min_count=1).fit(texts).to_json()))"
    )
    made = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout for _ in "12"
    }
    assert len(made) == 1
    assert len(json.loads(made.pop())["merges_"]) > 20


def test_a_fork_is_not_complained_of(capfd):
    made = BPE(vocab_size=40).fit(PAPER)
    if (child := os.fork()) == 0:
        os._exit(0 if made.encode("low") else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert capfd.readouterr().err == ""


def test_without_the_library_it_is_refused_in_one_line(monkeypatch):
    find = rules.find_spec
    monkeypatch.setattr(rules, "find_spec", lambda name: None if name == "tokenizers" else find(name))
    with pytest.raises(
        ConfigError, match=r"^tokenizer=bpe needs tokenizers, which is not installed: uv sync --extra text"
    ):
        preflight.compose(["data=char_contains", "tokenizer=bpe"])
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ConfigError, match="needs tokenizers, which is not installed"):
        from_json({"type": "bpe", "vocab_size": 9, "min_count": 1, "lowercase": True, "vocabulary_": [], "merges_": []})

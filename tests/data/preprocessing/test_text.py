from __future__ import annotations

import io
import json
import sys

import pytest
import torch

from assay.data.preprocessing import from_json
from assay.data.preprocessing.text import TextPreprocessing
from assay.data.tokenizers.char import Char
from assay.data.tokenizers.word import Word
from assay.errors import ConfigError

TRAIN = ["the cat sat", "the dog ran off", "a cat"]


def make(column="text"):
    return TextPreprocessing(Word(), 3, column).fit(TRAIN)


def gathered(preprocessing, texts):
    return preprocessing(texts)["source"].gather(torch.arange(len(texts)))


def test_texts_become_ids_cut_and_padded():
    preprocessing = make()
    vocabulary = preprocessing.tokenizer.vocabulary_
    ids = gathered(preprocessing, ["the dog ran off", "  zebra cat "])
    assert [[vocabulary[i] for i in row] for row in ids.tolist()] == [["the", "dog", "ran"], ["<unk>", "cat", "<pad>"]]
    assert preprocessing.show(ids[1]) == "<unk> cat"


def test_an_empty_text_is_one_unknown_token():
    assert gathered(make(), ["", " "]).tolist() == [[1], [1]]


@pytest.mark.parametrize("tokenizer", [Word(min_count=2, lowercase=False), Char()])
def test_json_round_trip(tokenizer):
    preprocessing = TextPreprocessing(tokenizer, 5, None).fit(TRAIN)
    again = from_json(json.loads(json.dumps(preprocessing.to_json())))
    texts = [*TRAIN, "The unknown Cat, ran: ü"]
    assert torch.equal(gathered(again, texts), gathered(preprocessing, texts))
    assert again.to_json() == preprocessing.to_json()


def test_everything_that_can_be_read(tmp_path, monkeypatch):
    (tmp_path / "a b.txt").write_text("one\n\n two \n")
    (tmp_path / "c,d=e.csv").write_text('id;text;x\n1;"three; or\nthree";y\n2;four;z\n')
    (tmp_path / "e.csv").write_text("text\nonly one column\n")
    (tmp_path / "f.jsonl").write_text('{"text": "five", "x": 1}\n')
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("six ü\n".encode())))
    names = [str(tmp_path / name) for name in ("a b.txt", "c,d=e.csv", "e.csv", "f.jsonl")]
    ids, texts = make().read([*names, "-", "a text, as it stands"])
    assert texts == [
        "one",
        "two",
        "three; or\nthree",
        "four",
        "only one column",
        "five",
        "six ü",
        "a text, as it stands",
    ]
    assert ids == [
        f"{names[0]}:1",
        f"{names[0]}:3",
        f"{names[1]}:2",
        f"{names[1]}:4",
        f"{names[2]}:2",
        f"{names[3]}:1",
        "-:1",
        "8",
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "texts,x\n1,2\n", "a.csv has no column 'text'; did you mean texts?"),
        ("a.csv", "text,x\na,1\n,2\n", "a.csv, line 3: the text in column text is empty"),
        ("a.jsonl", '{"text": "a"}\n{"text"\n', "a.jsonl, line 2: not JSON"),
        ("a.jsonl", '{"texts": "a"}\n', "a.jsonl, line 1: no 'text'; did you mean texts?"),
        ("a.txt", "\n \n", "a.txt holds only blank lines"),
        ("a.txt", None, "a.txt is not there"),
    ],
)
def test_what_cannot_be_read(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError) as refusal:
        make().read([str(tmp_path / name)])
    assert message in str(refusal.value)


def test_a_model_of_generated_strings_reads_no_table(tmp_path):
    with pytest.raises(ConfigError, match="was not trained on a table"):
        make(None).read(["a.csv"])


def test_a_refusal_of_standard_input_names_it(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(ConfigError, match=r"^standard input is empty"):
        make().read(["-"])

"""A run as a source of a feature: its own answers, kept inside what reads them, and refused when it is another one."""

from __future__ import annotations

import shutil

import pytest
import torch

from assay import artifacts
from assay.assemble import assemble
from assay.data.preprocessing.tagger import Tagger
from assay.errors import ConfigError
from assay.preflight import compose
from assay.targets import build

SENTENCES = [["to", "Rome"], ["at", "seven", "to", "Oslo"], ["Lima"]]


def written(folder, name, seed=0, **keys):
    """An artifact of a small net as it starts, on a file of its own."""
    path = folder / "sentences.conll"
    towns = ("Rome", "Oslo", "Lima")
    path.write_text("".join(f"to P O\n{towns[n % 3]} N B-town\nat P O\n{n} C O\n\n" for n in range(30)))
    words = ["data=tagged_file", f"data.path={path}", "model=rnn", "model.hidden_size=8", f"seed={seed}"]
    words += [f"data.{key}={value}" for key, value in keys.items()]
    config = compose(words).config
    dataset = build(config["data"])
    dataset.setup()
    _, network = assemble(config, dataset.spec, build(config["loss"]))
    card = {"data": "tagged_file"}
    artifacts.save(folder / name, network, config, dataset.spec, dataset.preprocessing, card)
    return folder / name, dataset, network


def test_it_gives_the_tags_that_the_run_gives(tmp_path):
    where, dataset, network = written(tmp_path, "run", tags=2)
    tagger = Tagger(str(where))
    found = tagger(SENTENCES)
    assert [len(tags) for tags in found] == [2, 4, 1]
    columns = dataset.preprocessing(SENTENCES)
    batch = {name: column.gather(torch.arange(3)) for name, column in columns.items()}
    answers = network.eval()({**batch, "index": torch.arange(3)}).logits.argmax(-1)
    names = dataset.spec.label.names
    assert found == [
        [names[int(tag)] for tag in row[: len(words)]] for row, words in zip(answers, SENTENCES, strict=True)
    ]
    assert tagger.trained_on == "tagged_file"
    assert tagger([]) == []
    again = Tagger.from_json(tagger.to_json())
    assert again(SENTENCES) == found


def test_what_reads_its_tags_keeps_it(tmp_path):
    first, _, _ = written(tmp_path, "first", tags=2)
    second, dataset, network = written(tmp_path, "second", seed=1, tagger=first)
    assert dataset.spec.fields["tagger"].kind == "feature"
    expected = network.eval()({**dataset.splits["test"].gather(torch.arange(3))}).logits
    shutil.rmtree(first)
    shutil.move(second, tmp_path / "elsewhere")
    loaded = artifacts.load(tmp_path / "elsewhere")
    words = [
        [dataset.spec.source.names[i] for i in row if i]
        for row in dataset.splits["test"].gather(torch.arange(3))["source"].tolist()
    ]
    columns = loaded.preprocessing(words)
    batch = {name: column.gather(torch.arange(3)) for name, column in columns.items()}
    assert torch.equal(loaded.network({**batch, "index": torch.arange(3)}).logits, expected)
    assert loaded.preprocessing.notes == []


def test_another_run_of_that_name_is_refused(tmp_path):
    where, _, _ = written(tmp_path, "run", tags=2)
    plain = Tagger(str(where)).to_json()
    written(tmp_path, "run", seed=5, tags=2)
    with pytest.raises(ConfigError, match="has other weights than the tagger that this model was trained with"):
        Tagger.from_json(plain)(SENTENCES)
    shutil.rmtree(where)
    with pytest.raises(ConfigError, match=r"data\.tagger=.*run, whose tags are read as a feature: "):
        Tagger.from_json(plain)(SENTENCES)


def test_a_run_that_tags_nothing_is_refused(tmp_path):
    config = compose(["data=digits", "model=linear"]).config
    dataset = build(config["data"])
    dataset.setup()
    _, network = assemble(config, dataset.spec, build(config["loss"]))
    artifacts.save(tmp_path / "digits", network, config, dataset.spec, dataset.preprocessing, {})
    with pytest.raises(ConfigError, match="predicts class, no tags of words: name a run of task=tagging"):
        Tagger(str(tmp_path / "digits"))
    with pytest.raises(ConfigError, match="nowhere is not a run folder"):
        Tagger(str(tmp_path / "nowhere"))

"""A run of tags that two processes share is the run of one: ragged sentences, sums over tags."""

from __future__ import annotations

import random

import pytest

from tests.engines.test_distributed import CPU, EXACT, folders, same, train


@pytest.fixture
def sentences(tmp_path):
    generator = random.Random(0)
    towns = ("new york", "rome", "san jose", "oslo")
    blocks = []
    for number in range(110):
        words = ["from", *generator.choice(towns).split(), "to", *generator.choice(towns).split(), f"at{number}"]
        tags = ["O", *["B-from", "I-from"][: words.index("to") - 1], "O"]
        tags += [*["B-to", "I-to"][: len(words) - len(tags) - 1], "B-time"]
        rows = list(zip(words, tags, strict=True))[generator.randint(0, 1) :]
        blocks.append("\n".join(f"{word} {tag}" for word, tag in rows))
    (tmp_path / "sentences.conll").write_text("\n\n".join(blocks) + "\n")
    return tmp_path / "sentences.conll"


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        ["output=crf", "ema=exponential", "clip=norm", "augment=[word_dropout]"],
        ["output=softmax", "loss.label_smoothing=0.1", "model.bidirectional=true", "distillation=mutual"],
    ],
    ids=["crf", "softmax"],
)
def test_two_processes_are_one_at_the_same_batch(tmp_path, capfd, sentences, more):
    words = ["data=tagged_file", f"data.path={sentences}", "data.batch_size=7", "accumulate=2", "model=lstm", *more]
    words += ["model.hidden_size=8", "model.dropout=0.3", "trainer.max_epochs=2", "optim.lr=0.02", *CPU, *EXACT]
    train(tmp_path / "alone", *words)
    train(tmp_path / "together", "trainer=ddp", *words)
    (one,), (two,) = folders(tmp_path / "alone"), folders(tmp_path / "together")
    same(one, two, 1e-12)

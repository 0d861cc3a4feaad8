"""A text whose tracks two processes share is read as by one: states are carried in each, and saved as those of all."""

from __future__ import annotations

import random

import pytest
import torch
from safetensors.torch import load_file

from assay.cli import main
from tests.engines.test_distributed import CPU, EXACT, folders, same, train

pytestmark = pytest.mark.slow


@pytest.fixture
def words(tmp_path):
    generator = random.Random(0)
    lines = [" ".join(generator.choice("abcdef") for _ in range(12)) for _ in range(60)]
    (tmp_path / "text.txt").write_text("\n".join(lines) + "\n")
    return [
        "data=corpus",
        f"data.path={tmp_path / 'text.txt'}",
        "data.length=5",
        "data.batch_size=5",
        "model=lstm",
        "model.hidden_size=8",
        "optim.lr=0.02",
        "scheduler=none",
        *CPU,
        *EXACT,
    ]


@pytest.mark.parametrize(
    "more",
    [
        ["accumulate=2", "model.dropout=0.3", "model.num_layers=2", "clip=norm"],
        ["data.batch_size=1", "trainer.max_steps=20", "model=gru"],
        ["distillation=mutual", "task.tied=true", "stem.sequence.size=8"],
    ],
    ids=["rows", "stand-in", "mutual"],
)
def test_two_processes_are_one_at_the_same_batch(tmp_path, capfd, words, more):
    words = [*words, "trainer.max_epochs=2", *more]
    train(tmp_path / "alone", *words)
    train(tmp_path / "together", "trainer=ddp", *words)
    same(*folders(tmp_path / "alone"), *folders(tmp_path / "together"), 1e-12)


@pytest.mark.parametrize("trainer", ["ddp", "fsdp"])
def test_what_several_saved_goes_on_from_the_middle_of_the_text(tmp_path, capfd, words, trainer):
    train(tmp_path / "alone", *words, "trainer.max_steps=17")
    train(tmp_path / "together", f"trainer={trainer}", *words, "trainer.max_steps=7")
    (folder,) = folders(tmp_path / "together")
    held = load_file(folder / "checkpoints" / "last.ckpt")
    assert held["carry.0"].shape[0] == 5, "of all tracks"
    assert held["carry.0"].abs().sum(1).min() > 0
    assert main(["resume", str(folder), "trainer.max_steps=17"]) == 0
    (whole,) = folders(tmp_path / "alone")
    states = [load_file(one / "checkpoints" / "last.ckpt") for one in (whole, folder)]
    compared = [name for name in states[0] if name.startswith(("network.", "carry."))]
    assert len(compared) > 2
    for name in compared:  # the log has a validation more: where the first of the two ended
        torch.testing.assert_close(states[0][name], states[1][name], rtol=0, atol=1e-12, msg=name)

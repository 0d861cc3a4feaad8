"""Making a network smaller while two processes train it: what one process makes, to the last digits."""

from __future__ import annotations

import json

import pytest

from assay.cli import main
from tests.engines.test_distributed import CPU, DDP, EXACT, folders, same, threads, train

__all__ = ["threads"]  # a fixture: a run sets the number of threads of its process

pytestmark = pytest.mark.slow

SHORT = ["model=mlp", "data.batch_size=47", "trainer.max_epochs=2", *EXACT]


def test_masks_are_those_of_one_process(tmp_path):
    """Each process ranks the same weights, and masks are part of what a checkpoint holds."""
    words = [*SHORT, "compression=magnitude", "compression.every=5", "compression.scope=global"]
    train(tmp_path / "alone", *CPU, *words)
    train(tmp_path / "together", *DDP, *words)
    (one,), (two,) = folders(tmp_path / "alone"), folders(tmp_path / "together")
    same(one, two, 1e-12)
    facts = [json.loads((folder / "compression.json").read_text()) for folder in (one, two)]
    nonzero = [[row["nonzero"] for row in fact["rows"]] for fact in facts]
    assert nonzero[0] == nonzero[1]
    assert nonzero[0][-1] < 0.3 * nonzero[0][0]


def test_units_that_leave_are_those_of_one_process(tmp_path, digits_run):
    words = [*SHORT, "compression=structured", "compression.ratio=0.5", f"init_from={digits_run.folder}"]
    train(tmp_path / "alone", *CPU, *words)
    train(tmp_path / "together", *DDP, *words)
    (one,), (two,) = folders(tmp_path / "alone"), folders(tmp_path / "together")
    same(one, two, 1e-12)


def test_slimming_needs_statistics_of_the_whole_batch_and_says_so(tmp_path, capsys):
    """Its networks have batch normalisation, whose statistics each process would take of its own part."""
    words = ["model=cnn", "model.channels=[4]", "normalization=batch", f"outputs={tmp_path}", *CPU]
    assert main(["train", *words, "trainer.max_epochs=1"]) == 0
    (wide,) = folders(tmp_path)
    capsys.readouterr()
    assert main(["train", *words, *DDP, "compression=slimming", f"init_from={wide}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("trainer=ddp gives a process its own rows of a batch, whose statistics are not the batch's")
    assert folders(tmp_path) == [wide]

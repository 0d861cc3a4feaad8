"""What a run's end says of costs that could not be taken."""

from __future__ import annotations

import pytest
import torch

import assay

pytest.importorskip("onnxruntime", reason="the extra export is not installed")


def test_a_network_that_cannot_be_written_keeps_its_run(tmp_path, monkeypatch, capfd):
    """Times of an integer network are those of its exported file: where there is none, the run still ends well."""

    def fails(*arguments, **named):
        raise RuntimeError("no such\noperator")

    monkeypatch.setattr(torch.onnx, "export", fails)
    words = ["model=linear", "quantization=int8", "trainer=cpu", "trainer.max_epochs=1", "logger=none"]
    result = assay.train(*words, f"outputs={tmp_path}")
    assert result.summary["status"] == "done"
    said = [line for line in capfd.readouterr().out.splitlines() if line.startswith("no ms")]
    assert said == ["no ms: torch could not write this network as ONNX (RuntimeError: no such operator)"]
    assert (result.folder / "artifact").is_dir()

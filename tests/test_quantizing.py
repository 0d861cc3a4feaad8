"""Quantised runs: what is tested is what is saved, and everything that opens a run opens them."""

from __future__ import annotations

import csv
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

import assay
from assay import artifacts
from assay.errors import ConfigError
from assay.parts import Parts
from assay.predict import evaluate_command
from assay.preflight import compose
from assay.transfer import transfer

QUICK = ["model=mlp", "trainer=cpu", "logger=none"]


@pytest.fixture(scope="module")
def static(digits_run, tmp_path_factory):
    """digits_run, quantised without a step."""
    outputs = tmp_path_factory.mktemp("static") / "outputs"
    words = ["trainer.max_epochs=0", f"init_from={digits_run.folder}", "quantization=int8", "quantization.mode=static"]
    return assay.train(*QUICK, *words, f"outputs={outputs}")


def scores(summary, prefix):
    return {key.removeprefix(prefix): value for key, value in summary.items() if key.startswith(prefix)}


def test_a_trained_run_is_quantised_without_a_step(static, digits_run):
    summary, before = static.summary, digits_run.summary
    assert (summary["status"], summary["steps"], summary["epochs"]) == ("done", 0, 0)
    assert "No step was taken" in (static.folder / "log.txt").read_text()
    assert scores(summary, "float/")["log_loss"] == pytest.approx(before["test/log_loss"], abs=1e-6)
    assert summary["float/val/accuracy"] == pytest.approx(before["val/accuracy"])
    assert summary["test/log_loss"] != before["test/log_loss"]
    assert summary["test/log_loss"] == pytest.approx(before["test/log_loss"], abs=0.02)
    assert summary["val/accuracy"] == pytest.approx(before["val/accuracy"], abs=0.02)
    sizes = [(one.folder / "artifact" / "weights.safetensors").stat().st_size for one in (static, digits_run)]
    assert sizes[0] / sizes[1] == pytest.approx(0.25, abs=0.05)
    opened = artifacts.load(static.folder / "artifact")
    stored = load_file(static.folder / "artifact" / "weights.safetensors")
    for name, grid in opened.quantization.weights.items():
        weight = opened.network.state_dict()[name]
        assert stored[name].dtype == torch.int8
        assert torch.equal(grid.integers(weight), stored[name])
    assert (opened.quantization.kind, opened.quantization.mode) == ("int8", "static")
    assert set(opened.quantization.inputs) >= {"head"}


def test_what_was_tested_is_what_is_saved(static, capsys):
    """The probabilities of predictions/test.csv are those of the loaded artifact; `assay evaluate` finds the scores."""
    rows = list(csv.DictReader((static.folder / "predictions" / "test.csv").read_text().splitlines()))
    from assay.folder import read_config
    from assay.targets import build

    data = build(read_config(static.folder)["data"])
    data.setup()
    opened = artifacts.load(static.folder / "artifact")
    test = data.splits["test"]
    columns = {"source": test.columns["source"].__class__(test.column("source"))}
    found = artifacts.outputs(opened, columns, len(test))["log_probs"]
    by_id = {int(row["id"]): float(row["probability"]) for row in rows}
    best = dict(zip(test.index.tolist(), found.exp().amax(-1).tolist(), strict=True))
    assert best == pytest.approx(by_id, abs=1e-4)
    assert evaluate_command(str(static.folder), []) == 0
    said = capsys.readouterr().out
    assert f"test/log_loss           {static.summary['test/log_loss']:.4f}" in said


def test_another_run_begins_with_the_dequantised_weights(static, tmp_path):
    parts = Parts(compose([*QUICK, "debug=fast"]).config, tmp_path, None, None)
    report = transfer(parts.network, parts.spec, str(static.folder))
    assert not report.fresh
    assert not report.left
    theirs = artifacts.load(static.folder / "artifact").network.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in parts.network.state_dict().items())


def test_a_quantised_run_teaches(static, tmp_path):
    words = ["distillation=kd", f"distillation.teacher.run={static.folder}", "debug=fast"]
    assert assay.train(*QUICK, *words, f"outputs={tmp_path / 'outputs'}").summary["status"] == "done"


def test_a_changed_fact_is_refused(static, tmp_path):
    shutil.copytree(static.folder / "artifact", tmp_path / "artifact")
    path = tmp_path / "artifact" / "artifact.json"
    facts = json.loads(path.read_text())
    facts["quantization"]["mode"] = "dynamic"
    path.write_text(json.dumps(facts))
    with pytest.raises(ConfigError, match="altered after training"):
        artifacts.load(tmp_path / "artifact")
    facts["digest"] = artifacts.digest(
        load_file(path.with_name("weights.safetensors")), json.dumps(facts["quantization"], sort_keys=True)
    )
    path.write_text(json.dumps(facts))
    with pytest.raises(ConfigError, match="does not describe these quantised weights") as caught:
        artifacts.load(tmp_path / "artifact")
    assert "\n" not in str(caught.value)
    del facts["quantization"]
    facts["digest"] = artifacts.digest(load_file(path.with_name("weights.safetensors")))
    path.write_text(json.dumps(facts))
    with pytest.raises(ConfigError, match="does not describe these weights"):
        artifacts.load(tmp_path / "artifact")


@pytest.mark.parametrize("ema", ["none", "exponential"])
def test_training_with_rounded_numbers_ends_in_the_network_that_was_validated(tmp_path, ema):
    words = ["quantization=qat", "quantization.momentum=0.9", "trainer.max_epochs=2", f"ema={ema}"]
    done = assay.train(*QUICK, *words, f"outputs={tmp_path / 'outputs'}")
    rows = csv.DictReader((done.folder / "metrics.csv").read_text().splitlines())
    validated = [float(row["value"]) for row in rows if row["name"] == "val/accuracy"]
    assert done.summary["val/accuracy"] == validated[done.summary["best_epoch"]]
    opened = artifacts.load(done.folder / "artifact")
    assert set(opened.quantization.weights) == {name for name, p in opened.network.named_parameters() if p.dim() > 1}
    assert not any("range" in name for name in opened.network.state_dict())
    assert done.summary["float/log_loss"] != done.summary["test/log_loss"]


def test_other_precisions_are_refused_before_training(tmp_path):
    with pytest.raises(ConfigError, match=r"quantization=int8 stands for float32 numbers"):
        assay.train(*QUICK, "quantization=int8", "trainer.precision=64-true", f"outputs={tmp_path / 'outputs'}")
    assert not list((tmp_path / "outputs").rglob("config.yaml"))

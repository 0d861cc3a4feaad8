"""Artifacts: what they give back, and what they refuse to run."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

import assay
from assay import artifacts
from assay.errors import ConfigError


@pytest.fixture
def artifact(digits_run, tmp_path):
    """A copy that a test may break."""
    shutil.copytree(digits_run.folder / "artifact", tmp_path / "artifact")
    return tmp_path / "artifact"


def edit(artifact, change):
    path = artifact / "artifact.json"
    facts = json.loads(path.read_text())
    change(facts)
    path.write_text(json.dumps(facts))


def test_an_artifact_alone_gives_the_trained_models_outputs(artifact, digits_run):
    """predict on raw images equals predictions/test.csv of the run, from a folder that holds the artifact alone."""
    import csv

    import numpy as np
    from sklearn.datasets import load_digits

    rows = list(csv.DictReader((digits_run.folder / "predictions" / "test.csv").read_text().splitlines()))
    images = load_digits().images
    picked = [np.asarray(images[int(row["id"])] * 255 / 16).round().astype("uint8") for row in rows[:40]]
    answers = assay.load(artifact).predict(picked)
    assert [a["prediction"] for a in answers] == [row["prediction"] for row in rows[:40]]
    for answer, row in zip(answers, rows, strict=False):
        assert answer["probability"] == pytest.approx(float(row["probability"]), abs=2e-2)  # 8-bit rounding of /16
        assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_weights_and_outputs_round_trip_exactly(artifact, digits_run):
    loaded = artifacts.load(artifact)
    again = artifact.parent / "again"
    card = loaded.card
    config = {**loaded.config}
    artifacts.save(again, loaded.network, config, loaded.spec, loaded.preprocessing, card)
    assert load_file(again / "weights.safetensors").keys() == load_file(artifact / "weights.safetensors").keys()
    x = {"source": torch.rand(5, 1, 8, 8), "index": torch.arange(5)}
    assert torch.equal(artifacts.load(again).network(x).logits, loaded.network(x).logits)


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("form", ["pickle", "torch"])
def test_weights_that_would_run_code_are_refused_unopened(artifact, tmp_path, form):
    fuse, path = tmp_path / "exploded", artifact / "weights.safetensors"
    if form == "torch":
        torch.save({"head.weight": Bomb(fuse)}, path)
    else:
        path.write_bytes(pickle.dumps({"head.weight": Bomb(fuse)}))
    with pytest.raises(ConfigError, match="could run code"):
        artifacts.load(artifact)
    assert not fuse.exists()


@pytest.mark.parametrize(
    ("target", "arguments"),
    [
        ("os.system", {"command": "touch {fuse}"}),
        ("pathlib.Path.touch", {}),
        ("assay.folder.subprocess.run", {"args": ["touch", "{fuse}"]}),
        ("assay.folder.write_json", {"path": "{fuse}", "value": 1}),
        ("torch.nn.modules.module.torch.save", {"obj": 1, "f": "{fuse}"}),
        ("assay.models.mlp.torch.save", {"obj": 1, "f": "{fuse}"}),
    ],
)
@pytest.mark.parametrize("where", ["model", "stem", "task", "loss", "init", "preprocessing", "nested"])
def test_a_target_outside_the_allow_list_is_refused(artifact, tmp_path, target, arguments, where):
    fuse = tmp_path / "exploded"
    filled = json.loads(json.dumps(arguments).replace("{fuse}", str(fuse)))
    node = {"_target_": target, **filled}

    def change(facts):
        if where == "preprocessing":
            facts["preprocessing"]["_target_"] = target
        elif where == "nested":
            facts["config"]["model"]["activation"] = node
        elif where == "stem":
            facts["config"]["stem"] = dict.fromkeys(facts["config"]["stem"], node)
        else:
            facts["config"][where] = node

    edit(artifact, change)
    with pytest.raises(ConfigError, match=r"not trusted|not a class or function|does not exist") as caught:
        artifacts.load(artifact)
    assert "\n" not in str(caught.value)
    assert not fuse.exists()


def test_altered_weights_are_refused(artifact):
    path = artifact / "weights.safetensors"
    weights = load_file(path)
    name = next(iter(weights))
    weights[name] = weights[name] + 1
    save_file(weights, path)
    with pytest.raises(ConfigError, match="altered after training"):
        artifacts.load(artifact)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.update(format=9), "format 9; this version reads 1"),
        (lambda f: f.pop("spec"), "lacks spec"),
        (lambda f: f["config"].pop("model"), "does not describe these weights"),
        (lambda f: f["config"]["model"].update(hidden_sizes=[3]), "does not describe these weights"),
        (lambda f: f["config"]["model"].update(surprise=1), "does not describe these weights"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(artifact, change, words):
    edit(artifact, change)
    with pytest.raises(ConfigError, match=words) as caught:
        artifacts.load(artifact)
    assert "\n" not in str(caught.value)


def test_broken_files_are_refused(artifact):
    (artifact / "artifact.json").write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        artifacts.load(artifact)


def test_predict_loads_neither_lightning_nor_hydra(artifact):
    code = (
        "import sys, assay; assay.load(sys.argv[1]); "
        "print([m for m in ('pytorch_lightning', 'hydra', 'omegaconf', 'torchmetrics', 'wandb') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(artifact)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

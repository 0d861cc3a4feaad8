"""Runs that narrow a trained network, mask its weights, or begin with a narrow one: screens, artifacts, resume."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import save_file

import assay
from assay import artifacts
from assay.engines import checkpoint
from assay.errors import ConfigError
from assay.parts import Parts
from assay.preflight import compose
from assay.run import run
from tests.interruptions import Interrupted, Moment, at, bits, leave, train

MLP = ["model=mlp", "model.hidden_sizes=[12,10]", "normalization=batch"]
QUICK = ["trainer=cpu", "logger=none", "trainer.max_epochs=1", "+trainer.limit_train_batches=8"]


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    outputs = tmp_path_factory.mktemp("wide") / "outputs"
    words = [*MLP, "regularization=scales", "regularization.strength=0.01", "trainer=cpu", "trainer.max_epochs=2"]
    return assay.train(*words, "logger=none", f"outputs={outputs}").folder


def trained(tmp_path, name, *words):
    point = compose([*words, f"outputs={tmp_path / 'outputs'}"])
    folder = tmp_path / name
    folder.mkdir()
    run(point.config, list(point.overrides), folder)
    return folder


def sizes(folder):
    return [
        len(artifacts.load(folder / "artifact").network.get_parameter(f"encoder.layers.{i}.weight")) for i in (0, 4)
    ]


def test_two_rounds_a_plain_run_and_what_the_screen_says(tmp_path, wide, capsys):
    slim = ["compression=slimming", "compression.ratio=0.4", "compression.floor=0.2", "ema=exponential"]
    first = trained(tmp_path, "first", *MLP, *slim, f"init_from={wide}", *QUICK)
    screen = capsys.readouterr().out
    facts = json.loads((first / "narrowed.json").read_text())
    left = [after for _, after in facts["layers"].values()]
    assert sum(left) == 22 - 8 == sum(sizes(first))
    assert sizes(first) == left
    a, b = facts["scores"]
    assert f"  val/accuracy {a:.4f} before the cut, {b:.4f} after it; fine-tuning begins there" in screen
    assert a == pytest.approx(json.loads((wide / "summary.json").read_text())["val/accuracy"])
    old, new = facts["parameters"]
    assert f"compression=slimming cut 8 of 22 units (36.4 %) and {old - new} of {old:,} parameters" in screen
    assert f"encoder.layers.0 12 → {left[0]}" in screen or left[0] == 12
    assert json.loads((first / "summary.json").read_text())["parameters"] == new

    second = trained(tmp_path, "second", *MLP, *slim, f"init_from={first}", *QUICK)
    assert sum(sizes(second)) == 14 - 5
    told = json.loads((second / "artifact" / "artifact.json").read_text())["narrowed"]
    assert [of for _, of in told.values()] == [12, 10]

    third = trained(tmp_path, "third", *MLP, f"init_from={second}", *QUICK)  # no compression: as narrow as RUN
    assert sizes(third) == sizes(second)
    words = [*MLP, f"init_from={second}", "data=wine", *QUICK]
    network = Parts(compose(words).config, tmp_path, None, None).network  # of other inputs and classes: as narrow
    assert network.encoder.layers[0].weight.shape == (sizes(second)[0], 13)
    assert network.head.weight.shape == (3, sizes(second)[1])

    loaded = assay.load(second)
    loader = artifacts.load(second / "artifact")
    assert loader.network.encoder.output_size == sizes(second)[1]
    assert loaded is not None


def test_recurrent_units_go_by_what_the_loss_notices(tmp_path):
    lstm = ["model=lstm", "model.hidden_size=10", "model.num_layers=2", "model.bidirectional=true"]
    begun = trained(tmp_path, "wide", *lstm, *QUICK)
    cut = ["compression=structured", "compression.criterion=taylor", "compression.scope=global", "freeze=[head]"]
    slim = trained(tmp_path, "slim", *lstm, *cut, f"init_from={begun}", *QUICK)
    layers = json.loads((slim / "narrowed.json").read_text())["layers"]
    assert sorted(layers) == ["encoder.ahead.0", "encoder.ahead.1", "encoder.back.0", "encoder.back.1"]
    assert sum(after for _, after in layers.values()) == 20
    network = artifacts.load(slim / "artifact").network
    assert network.head.in_features == layers["encoder.ahead.1"][1] + layers["encoder.back.1"][1]
    old = artifacts.load(begun / "artifact").network.head.weight
    assert all(any(torch.equal(column, other) for other in old.T) for column in network.head.weight.T)  # frozen


def test_masked_weights_are_exactly_zero_in_what_is_tested_and_saved(tmp_path):
    words = [*MLP, "compression=magnitude", "compression.every=3", "constraint=max_norm", "constraint.value=0.5"]
    more = ["optim=momentum", "ema=exponential", "early_stopping=patience", "early_stopping.patience=1"]
    steps = ["trainer=cpu", "logger=none", "trainer.max_epochs=4", "+trainer.limit_train_batches=5"]
    folder = trained(tmp_path, "run", *words, *more, *steps)
    network = artifacts.load(folder / "artifact").network
    state, facts = checkpoint.read(folder / "checkpoints" / "last.ckpt")
    for name, p in network.named_parameters():
        zeros = int((p == 0).sum())
        if p.dim() > 1:
            assert zeros == int(0.8 * p.numel() + 1e-9), name
            for held in (state[f"network.{name}"], state[f"ema.average.{name}"]):
                assert not held[state[f"masks.held.{name}"]].any()
        elif "bias" not in name:
            assert zeros == 0, name
    assert facts["best"]["step"] >= 10  # not of a network that was denser


@pytest.mark.parametrize("option", ["slimming", "magnitude"])
def test_a_run_goes_on_bit_for_bit_when_RUN_is_gone(tmp_path, wide, option):
    source = tmp_path / "source"
    shutil.copytree(wide, source)
    words = [*MLP, f"compression={option}", f"init_from={source}", "optim=momentum", "ema=exponential"]
    more = ["trainer.max_epochs=2", "checkpoint.every=3steps", f"outputs={tmp_path / 'outputs'}"]
    point = compose([*words, *QUICK[:2], *QUICK[3:], *more])
    train(point, tmp_path / "whole")
    with at(Moment("step", 11), leave), pytest.raises(Interrupted):
        train(point, tmp_path / "cut")
    shutil.rmtree(source)
    train(point, tmp_path / "cut", resume=True)
    assert bits(tmp_path / "whole", tmp_path / "cut") == {}


def test_what_cannot_be_narrowed_is_refused_in_a_line(tmp_path, wide, digits_run):
    for option in ("slimming", "structured"):
        with pytest.raises(
            ConfigError, match=rf"^compression={option} cuts .* a trained run: name it with init_from=RUN"
        ):
            compose([*MLP, f"compression={option}"])
    with pytest.raises(
        ConfigError, match=r"^compression=slimming ranks channels by batch-norm scales: add normalization"
    ):
        compose(["model=mlp", "compression=slimming", f"init_from={wide}"])
    with pytest.raises(ConfigError, match=r"^compression\.ratio=1 "):
        compose([*MLP, "compression=slimming", "compression.ratio=1", f"init_from={wide}"])
    with pytest.raises(ConfigError, match=r"^regularization=scales sums batch-norm scales: add normalization=batch"):
        compose(["model=mlp", "regularization=scales"])

    def refused(*words):
        with pytest.raises(ConfigError) as refusal:
            Parts(compose([*words, *QUICK]).config, tmp_path, None, None)
        assert "\n" not in str(refusal.value)
        return str(refusal.value)

    cut = ["compression=structured", f"init_from={wide}"]
    line = refused(*MLP, *cut, "model.hidden_sizes=[12,11]")
    assert line.startswith(f"compression=structured narrows init_from={wide} as it was trained, and ")
    assert "tensors here are new" in refused(*MLP, *cut, "data=wine")
    linear = trained(tmp_path, "linear", "model=linear", *QUICK)
    line = refused("model=linear", "compression=structured", f"init_from={linear}")
    assert line.startswith(
        "compression=structured finds nothing to take out of model=linear: no unit of it could leave"
    )


def test_a_forged_artifact_is_refused_in_a_line(tmp_path, wide):
    slim = trained(tmp_path, "slim", *MLP, "compression=structured", f"init_from={wide}", *QUICK)
    path = slim / "artifact"
    weights = artifacts.read_weights(path / "weights.safetensors")
    facts = json.loads((path / "artifact.json").read_text())
    for name in ("encoder.layers.0.weight", "encoder.layers.5.running_var", "head.weight"):
        forged = {**weights, name: weights[name][:-1].clone()}
        save_file(forged, path / "weights.safetensors")
        (path / "artifact.json").write_text(json.dumps({**facts, "digest": checkpoint.digest(forged)}))
        with pytest.raises(ConfigError, match="which no units taken out of this network leave of") as refusal:
            artifacts.load(path)
        assert "\n" not in str(refusal.value)

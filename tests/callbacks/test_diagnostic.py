"""Diagnostics of whole runs: they change no bit of it, survive a kill, leave figures, and are refused in a line."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch

from assay.engines import checkpoint
from assay.errors import ConfigError
from assay.preflight import compose
from assay.review.metrics_csv import read
from assay.run import run

SHORT = [
    "logger=none",
    "trainer.max_epochs=3",
    "+trainer.limit_train_batches=3",
    "log_every=2",
    "checkpoint.every=4steps",
]
RUNS = {
    "recurrent": (
        ["model=lstm", "model.hidden_size=8", "ema=exponential"],
        "jacobian,saturated_units,hessian,grad_norm",
    ),
    "convolutions": (
        ["model=cnn", "model.channels=[3]", "normalization=batch", "augment=mixup", "accumulate=2"],
        "dead_units,hessian",
    ),
    "dropout, bfloat16": (["model=mlp", "model.dropout=0.3", "trainer.precision=bf16-mixed"], "dead_units,hessian"),
    "half precision": (["model=mlp", "activation=tanh", "trainer.precision=bf16-true"], "saturated_units,hessian"),
    "characters of words": (
        [
            *("data=tagged_file", "data.path={folder}/words.conll", "characters=lstm"),
            *("model=lstm", "model.hidden_size=8", "model.bidirectional=true"),
        ],
        "saturated_units,hessian",
    ),
    "penalties": (["model=mlp", "regularization=l1"], "hessian,dead_units"),
}


def train(folder, *words):
    point = compose([*words, *SHORT, f"outputs={folder / 'outputs'}"])
    where = folder / "run"
    where.mkdir(parents=True)
    try:
        run(point.config, list(point.overrides), where)
    finally:
        torch.set_num_threads(1)  # a run sets those of its process
    return where


def state(where):
    found, _ = checkpoint.read(where / "checkpoints" / "last.ckpt")
    return found


DEFAULT = ("recurrent", "convolutions", "characters of words")  # of the default suite


@pytest.mark.parametrize(
    "name", [name if name in DEFAULT else pytest.param(name, marks=pytest.mark.slow) for name in RUNS]
)
def test_a_run_with_diagnostics_is_the_run_without_them_bit_for_bit(tmp_path, name):
    words, names = RUNS[name]
    sentences = [f"to O\nRome{i} B-town\nat O\n{i} O\n" if i % 3 else f"from{i} O\nYork B-town\n" for i in range(120)]
    (tmp_path / "words.conll").write_text("\n".join(sentences))
    words = [word.format(folder=tmp_path) for word in words]
    every = [f"callbacks.{one}.every=1" for one in names.split(",") if one in ("hessian", "jacobian")]
    every += ["callbacks.hessian.examples=40", "callbacks.hessian.steps=9"]
    without = train(tmp_path / "without", *words)
    with_them = train(tmp_path / "with", *words, f"callbacks=[{names}]", *every)
    one, other = state(without), state(with_them)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)
    prefixes = tuple(f"{callback}/" for callback in names.split(","))
    rows = [row for row in read(with_them / "metrics.csv") if not row.name.startswith(prefixes)]
    assert rows == read(without / "metrics.csv")
    assert (without / "predictions" / "test.csv").read_bytes() == (with_them / "predictions" / "test.csv").read_bytes()
    measured = {row.name.split("/")[0] for row in read(with_them / "metrics.csv")}
    for callback in names.split(","):
        assert callback in measured
        assert (with_them / "figures" / f"{callback}.png").stat().st_size > 5000


def test_when_each_is_measured(tmp_path):
    names = "[jacobian,saturated_units,hessian,grad_norm]"
    where = train(tmp_path, "model=rnn", "model.hidden_size=6", f"callbacks={names}", "callbacks.hessian.every=2")
    steps: dict[str, list[int]] = {}
    for row in read(where / "metrics.csv"):
        steps.setdefault(row.name, []).append(row.step)
    assert steps["jacobian/encoder.ahead.0/max"] == [0, 9]
    assert steps["saturated_units/encoder.ahead.0.state/low"] == [0, 3, 6, 9]
    assert steps["hessian/max"] == [6, 9]
    assert steps["grad_norm/head.weight"] == steps["train/loss"] == [2, 3, 4, 6, 8, 9]
    spectra = json.loads((where / "figures" / "jacobian.json").read_text())
    assert (spectra["step"], list(spectra["layers"])) == (9, ["encoder.ahead.0"])
    assert json.loads((where / "figures" / "hessian.json").read_text())["kind"] in ("minimum", "maximum", "saddle")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["callbacks=[jacobian]", "model=mlp"],
            "callbacks=jacobian looks at the state of a recurrent net: use model=rnn",
        ),
        (
            ["callbacks=[dead_units]", "model=lstm"],
            "callbacks=dead_units counts rectifiers, which model=lstm has none of",
        ),
        (
            ["callbacks=[dead_units]", "model=rnn"],
            "callbacks=dead_units counts rectifiers: use model.nonlinearity=relu",
        ),
        (["callbacks=[dead_units]", "model=mlp", "activation=gelu"], "use activation=relu or relu6"),
        (["callbacks=[dead_units]", "model=linear"], "counts hidden units, which model=linear has none of"),
        (["callbacks=[saturated_units]", "model=mlp"], "use activation=tanh or sigmoid, or callbacks=[dead_units]"),
        (["callbacks=[saturated_units]", "model=rnn", "model.nonlinearity=relu"], "use model.nonlinearity=tanh"),
        (["callbacks=[hessian]", "trainer=fsdp", "trainer.accelerator=cpu"], "which no process of trainer=fsdp holds"),
        (["callbacks=[hessian]", "callbacks.hessian.steps=1"], "steps"),
        (["callbacks=[saturated_units]", "callbacks.saturated_units.threshold=1"], "threshold"),
    ],
)
def test_what_cannot_be_looked_at_is_refused_before_torch(words, line):
    with pytest.raises(ConfigError) as refusal:
        compose(["model=lstm", *words] if not any(word.startswith("model=") for word in words) else words)
    assert line in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "words",
    [
        ["callbacks=[dead_units]", "model=rnn", "model.nonlinearity=relu"],
        ["callbacks=[saturated_units]", "model=rnn", "model.nonlinearity=tanh"],
        ["callbacks=[jacobian,saturated_units,hessian]", "model=gru"],
        ["callbacks=[dead_units,hessian]", "model=transformer"],
    ],
)
def test_what_can_be_looked_at_is_not(words):
    assert compose(words)


@pytest.mark.slow
def test_several_processes_measure_what_one_does(tmp_path):
    """From the command line: a process joins one group of processes only."""
    words = [
        "model=gru",
        "model.hidden_size=4",
        "callbacks=[jacobian,saturated_units,hessian]",
        "trainer.precision=64-true",
    ]
    found = []
    for name, trainer in (("one", "cpu"), ("two", "ddp")):
        device = [] if trainer == "cpu" else ["trainer.accelerator=cpu"]
        command = [*words, *SHORT, f"trainer={trainer}", *device, f"outputs={tmp_path / name}"]
        subprocess.run(
            [sys.executable, "-m", "assay.cli", "train", *command], check=True, capture_output=True, timeout=300
        )
        found.append(read(tmp_path / name / "latest" / "metrics.csv"))
    assert [row[:3] for row in found[0]] == [row[:3] for row in found[1]]
    for a, b in zip(*found, strict=True):
        assert a.value == pytest.approx(b.value, rel=1e-6, abs=1e-9), a.name

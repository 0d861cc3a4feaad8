"""One run from command to artifact: the folder, the screens, and what happens when it goes wrong."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

import assay
from assay import closing
from assay.engines import checkpoint
from assay.errors import ConfigError

ROOT = Path(__file__).parent.parent


def train(tmp_path, *overrides, **kwargs):
    return assay.train(f"outputs={tmp_path / 'outputs'}", "logger=none", *overrides)


def test_the_folder_holds_what_design_promises(digits_run):
    folder = digits_run.folder
    names = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert names >= {
        "config.yaml",
        "overrides.yaml",
        "environment.json",
        "metrics.csv",
        "summary.json",
        "predictions/test.csv",
        "checkpoints/last.ckpt",
        "checkpoints/previous.ckpt",
        "checkpoints/best.ckpt",
        "artifact/weights.safetensors",
        "artifact/artifact.json",
        "figures/curves.png",
        "figures/confusion.png",
        "log.txt",
    }
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["switches"]["model"] == "mlp"
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == "done"
    assert summary["test/accuracy"] > 0.5
    assert summary["baseline/accuracy"] < 0.2
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["versions"]["torch"] == torch.__version__.split("+")[0] or environment["versions"]["torch"]
    assert environment["threads"] == 1


def test_metrics_csv_has_no_wall_clock_and_predictions_add_up(digits_run):
    rows = list(csv.DictReader((digits_run.folder / "metrics.csv").read_text().splitlines()))
    assert list(rows[0]) == ["step", "epoch", "name", "value"]
    assert {"train/loss", "train/lr", "val/accuracy", "test/accuracy"} <= {row["name"] for row in rows}
    predictions = list(csv.DictReader((digits_run.folder / "predictions" / "test.csv").read_text().splitlines()))
    right = sum(row["target"] == row["prediction"] for row in predictions) / len(predictions)
    assert right == pytest.approx(digits_run.summary["test/accuracy"], abs=1e-6)
    loss = sum(float(row["loss"]) for row in predictions) / len(predictions)
    assert loss == pytest.approx(digits_run.summary["test/log_loss"], rel=1e-4)


def test_same_command_and_seed_give_the_same_bits(tmp_path):
    words = ["model=mlp", "model.dropout=0.3", "augment=mixup", "ema=exponential", "trainer.max_steps=30"]
    first, second = train(tmp_path, *words), train(tmp_path, *words)
    a = checkpoint.read(first.folder / "checkpoints" / "last.ckpt")[0]
    b = checkpoint.read(second.folder / "checkpoints" / "last.ckpt")[0]
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert (first.folder / "metrics.csv").read_bytes() == (second.folder / "metrics.csv").read_bytes()
    assert (first.folder / "predictions/test.csv").read_bytes() == (second.folder / "predictions/test.csv").read_bytes()
    third = train(tmp_path, *words, "seed=1")
    c = checkpoint.read(third.folder / "checkpoints" / "last.ckpt")[0]
    assert not torch.equal(a["network.head.weight"], c["network.head.weight"])


def test_the_best_epoch_is_tested_not_the_last(tmp_path):
    run = train(tmp_path, "model=mlp", "optim=sgd", "optim.lr=0.5", "scheduler=none", "trainer.max_epochs=6")
    best, facts = checkpoint.read(run.folder / "checkpoints" / "best.ckpt")
    scores = {int(epoch): score for epoch, score in facts["history"].items()}
    assert facts["best"]["score"] == max(scores.values())
    assert facts["best"]["epoch"] == max(e for e, s in scores.items() if s == max(scores.values()))
    weights = assay.load(run.folder).artifact.network.state_dict()
    assert all(torch.equal(best[f"network.{name}"], value) for name, value in weights.items())


def test_ema_weights_are_the_ones_scored_and_saved(tmp_path):
    run = train(tmp_path, "model=mlp", "ema=exponential", "trainer.max_epochs=2")
    last = checkpoint.read(run.folder / "checkpoints" / "last.ckpt")[0]
    weights = assay.load(run.folder).artifact.network.state_dict()
    raw = last["network.head.weight"]
    averaged = [value for name, value in last.items() if name.startswith("ema.") and value.shape == raw.shape]
    assert any(torch.equal(value, weights["head.weight"]) for value in averaged)
    assert not torch.equal(raw, weights["head.weight"])


def test_early_stopping_ends_a_run(tmp_path):
    run = train(
        tmp_path,
        "model=linear",
        "optim.lr=1e-12",
        "scheduler=none",
        "early_stopping=patience",
        "early_stopping.patience=2",
    )
    assert run.summary["epochs"] == 3


def test_a_run_that_the_clock_ended_says_so(tmp_path, capsys):
    words = ["model=linear", "data.batch_size=8", "trainer.max_epochs=100000", "+trainer.limit_val_batches=1"]
    result = train(tmp_path, *words, "+trainer.max_time=00:00:00:01")
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Ended by")]
    found = re.fullmatch(r"Ended by trainer.max_time=00:00:00:01 at step ([\d,]+) of ([\d,]+): .*", line)
    taken, planned = (int(number.replace(",", "")) for number in found.groups())
    assert 0 < taken < planned == 100000 * 180
    assert result.summary["status"] == "done"


def test_a_nan_is_traced_to_step_layer_and_example(tmp_path, capsys):
    """The rate explodes the weights; the replay from the last checkpoint says where."""
    from assay.run import Failed

    with pytest.raises(Failed) as caught:
        train(tmp_path, "model=mlp", "optim=sgd", "optim.lr=1e30", "scheduler=none")
    line = str(caught.value)
    assert re.match(r"the loss is not finite: step \d+: the (output|loss|gradient|updated weight) of \S+", line)
    assert "try optim.lr=1e+29 or clip=norm" in line
    (folder,) = (tmp_path / "outputs").glob("*/*-mlp-digits")
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == "failed"
    assert summary["reason"] == line
    checkpoint.read(folder / "checkpoints" / "last.ckpt")  # still whole, still finite


def test_out_of_memory_names_what_helps(tmp_path, monkeypatch):
    from assay.engines.step import Step
    from assay.run import Failed

    def exhausted(self, *arguments, **keywords):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")

    monkeypatch.setattr(Step, "__call__", exhausted)
    with pytest.raises(Failed, match=r"data\.batch_size=16 accumulate=2") as caught:
        train(tmp_path, "model=mlp")
    assert "\n" not in str(caught.value)


def test_refused_data_leave_nothing_behind(tmp_path):
    with pytest.raises(ConfigError, match=r"monitor=val/bleu is not measured; possible are val/accuracy"):
        train(tmp_path, "model=mlp", "monitor=val/bleu")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "line"),
    [(["plan=true"], "plan=true only shows"), (["--cfg", "job"], "is a flag of"), ([3], "3 is not text")],
)
def test_what_only_shows_is_no_run(tmp_path, words, line):
    with pytest.raises(ConfigError, match=line):
        train(tmp_path, *words)
    assert not list(tmp_path.iterdir())


def test_a_reader_who_leaves_does_not_end_the_run(tmp_path, monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Gone())
    run = train(tmp_path, "model=mlp", "debug=fast")
    assert run.summary["status"] == "done"
    assert "Best at epoch 1 of 1" in (run.folder / "log.txt").read_text(encoding="utf-8")


def test_an_epoch_as_good_as_one_before_asks_for_no_more(tmp_path, capsys):
    words = ["model=linear", "scheduler=none", "trainer.max_epochs=2"]
    train(tmp_path, *words, "optim.lr=1e-12")
    assert "Best at epoch 2 of 2" in (shown := capsys.readouterr().out)
    assert "The last epoch was the best" not in shown
    train(tmp_path, *words)
    assert "The last epoch was the best: trainer.max_epochs=4 may do better." in capsys.readouterr().out


def test_a_run_without_a_validation_says_so(tmp_path, capsys):
    train(tmp_path, "model=mlp", "trainer.max_epochs=1", "+trainer.check_val_every_n_epoch=2")
    assert "Ended before the first validation: the weights are the last ones" in capsys.readouterr().out


@pytest.mark.parametrize("debug", ["overfit", "fast", "profile"])
def test_rehearsals(tmp_path, debug):
    run = train(tmp_path, "model=mlp", f"debug={debug}")
    if debug == "overfit":
        assert run.summary["test/accuracy"] == 1.0
    if debug == "fast":
        assert run.summary["steps"] == 2
        assert run.summary["val/accuracy"] is not None
    if debug == "profile":
        assert run.summary["steps"] == 50
        assert "aten::" in (run.folder / "profile.txt").read_text()


def test_sorted_data_are_rehearsed_and_scored_on_all_classes(tmp_path, monkeypatch):
    """Iris lists one flower after the other: ten of the first would be learnt by always answering the same."""
    scored = []
    evaluated = closing._evaluated
    monkeypatch.setattr(
        closing, "_evaluated", lambda parts, few, *size: scored.append(few) or evaluated(parts, few, *size)
    )
    run = train(tmp_path, "data=iris", "trainer.max_steps=1")
    assert len(scored[-1]) == 15
    assert torch.bincount(scored[-1].column("label")).min() >= 2
    run = train(tmp_path, "data=iris", "debug=overfit", "trainer.max_steps=1")
    assert run.summary["baseline/accuracy"] < 0.8


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_before_it_stops(tmp_path, number, code):
    command = [
        sys.executable, "train.py", "model=mlp", "trainer.max_epochs=100000", f"outputs={tmp_path}", "logger=none"
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("*/*/checkpoints/last.ckpt")) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert re.search(r"Stopped at step \d+, saved; `assay resume \S+` goes on", out)
    (folder,) = {p.parent for p in tmp_path.glob("*/*/summary.json") if p.parent.parent.name != "latest"}
    assert json.loads((folder / "summary.json").read_text())["status"] == "stopped"
    state, _ = checkpoint.read(folder / "checkpoints" / "last.ckpt")
    assert int(state["counter.step"]) > 0


def test_a_second_interrupt_ends_a_run_at_once(tmp_path, monkeypatch):
    """Lightning would turn a KeyboardInterrupt into exit code 1."""
    from assay.engines.eager import Eager

    def twice(self, *arguments):
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Eager, "training_step", twice)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, "model=mlp")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    (summary,) = (tmp_path / "outputs").glob("*/*-mlp-digits/summary.json")
    assert json.loads(summary.read_text())["status"] == "interrupted"


def test_an_interrupt_while_testing_lets_the_run_finish(tmp_path, monkeypatch):
    from assay.engines.eager import Eager

    monkeypatch.setattr(Eager, "on_test_start", lambda self: signal.raise_signal(signal.SIGINT))
    assert train(tmp_path, "model=mlp", "debug=fast").summary["status"] == "done"


def test_a_teacher_distils_into_a_student(tmp_path, digits_run):
    plain = train(tmp_path, "model=linear", "trainer.max_steps=40")
    words = ["model=linear", "trainer.max_steps=40", "distillation=kd", f"distillation.teacher.run={digits_run.folder}"]
    zero = train(tmp_path, *words, "distillation.alpha=0")
    taught = train(tmp_path, *words, "distillation.temperature=4")
    weights = [assay.load(run.folder).artifact.network.state_dict() for run in (plain, zero, taught)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not torch.equal(weights[0]["head.weight"], weights[2]["head.weight"])
    last = checkpoint.read(taught.folder / "checkpoints" / "last.ckpt")[0]
    assert not [name for name in last if "teacher" in name]


def test_a_teacher_of_other_data_is_refused(tmp_path, digits_run):
    with pytest.raises(ConfigError, match="was trained on source image"):
        train(
            tmp_path, "data=char_contains", "distillation=kd", f"distillation.teacher.run={digits_run.folder}"
        )  # fmt: skip


def test_accumulation_gives_the_weights_of_one_large_batch(tmp_path):
    words = ["model=mlp", "trainer.precision=64-true", "trainer.max_steps=20", "scheduler=none"]
    large = train(tmp_path, *words, "data.batch_size=64")
    small = train(tmp_path, *words, "data.batch_size=16", "accumulate=4")
    a, b = (checkpoint.read(run.folder / "checkpoints" / "last.ckpt")[0] for run in (large, small))
    assert a["network.head.weight"].dtype == torch.float64
    for name in a:
        if name.startswith("network."):
            torch.testing.assert_close(a[name], b[name], rtol=0, atol=1e-10)


def test_the_table_of_runs(digits_run):
    (row,) = [r for r in assay.runs(digits_run.folder.parent) if r["folder"] == str(digits_run.folder)]
    assert row["model"] == "mlp"
    assert row["optim"] == "adam"
    assert row["seed"] == 0
    assert row["test/accuracy"] == digits_run.summary["test/accuracy"]

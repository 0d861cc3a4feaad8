"""Lightning's loop as a caller of the step: what it waits for, what it logs, which weights it scores, where it ends."""

from __future__ import annotations

import csv
import json

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import assay
from assay import run as running
from assay.data.augment import mixing
from assay.engines import checkpoint
from assay.engines.checkpoints import Checkpoints
from assay.engines.eager import Eager
from assay.recorder import Recorder


@pytest.fixture
def train(tmp_path):
    def train_(*overrides):
        return assay.train(f"outputs={tmp_path / 'outputs'}", "logger=none", "model=mlp", *overrides)

    return train_


def points(run, name: str) -> dict[int, float]:
    """{step: value} of one metric in metrics.csv."""
    with open(run.folder / "metrics.csv", encoding="utf-8") as file:
        return {int(row["step"]): float(row["value"]) for row in csv.DictReader(file) if row["name"] == name}


# synchronisation: DESIGN, "Speed"


class Waits(TorchDispatchMode):
    """Counts every reading of a tensor's value by the host: item, float, int, bool, an index; tolist and numpy are
    counted by patches, since on the CPU they read memory without asking the dispatcher."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is torch.ops.aten._local_scalar_dense.default:
            self.count += 1
        return function(*args, **(kwargs or {}))


@pytest.fixture
def waits(monkeypatch):
    """A counter that is on while a run trains and validates, checkpoints left out."""
    mode = Waits()

    def counted(original):
        def call(self, *arguments, **options):
            mode.count += 1
            return original(self, *arguments, **options)

        return call

    fit = running.Job._fit

    def fit_counted(job):
        with mode, pytest.MonkeyPatch.context() as patch:
            for name in ("tolist", "numpy", "cpu"):
                patch.setattr(Tensor, name, counted(getattr(Tensor, name)))
            fit(job)

    def one_hot(label, size):  # torch's looks at the labels on the CPU, and only there
        return torch.eye(size, dtype=torch.int64)[label]

    monkeypatch.setattr(mixing, "one_hot", one_hot)
    monkeypatch.setattr(running.Job, "_fit", fit_counted)
    monkeypatch.setattr(Recorder, "save", lambda self: None)
    return mode


PARTS = [
    ["optim=sgd", "scheduler=none"],
    ["optim=sgd", "model.dropout=0.3", "augment=mixup", "ema=exponential", "clip=norm", "scheduler=onecycle"],
    ["optim=sgd", "accumulate=2", "clip=value", "normalization=batch", "trainer.precision=bf16-mixed"],
    ["optim=sgd", "model=lstm", "model.dropout=0.3", "model.bidirectional=true"],
    ["optim=sgd", "model=transformer", "model.dropout=0.3", "init=kaiming"],
    ["optim=sgd", "model=cnn", "normalization=batch"],
]


@pytest.mark.parametrize("parts", PARTS, ids=lambda parts: " ".join(parts[1:3]))
def test_steps_do_not_wait_for_the_device(train, waits, parts):
    counts = []
    for steps in (3, 9):
        waits.count = 0
        train(*parts, "log_every=1000", f"trainer.max_steps={steps}")
        counts.append(waits.count)
    assert counts[0] > 0, "the counter sees the metrics of the validation"
    assert counts[1] == counts[0], "a step more waits for nothing"


def test_a_point_of_the_log_waits_once(train, waits):
    counts = {}
    for every in (1000, 8, 4):
        waits.count = 0
        train("optim=sgd", f"log_every={every}", "trainer.max_steps=18")
        counts[every] = waits.count
    assert counts[8] - counts[1000] == 2  # after steps 8 and 16; the rest is read with the validation, as before
    assert counts[4] - counts[1000] == 4


def test_the_counter_counts():
    x = torch.tensor([1.5])
    with Waits() as mode:
        float(x), x.item(), bool(x > 0), int(x)
    assert mode.count == 4


# the log


def test_each_point_is_the_mean_loss_since_the_last_one(train, monkeypatch):
    every = train("log_every=1", "trainer.max_epochs=2")
    tenth = train("log_every=10", "trainer.max_epochs=2")
    losses, seen = points(every, "train/loss"), points(tenth, "train/loss")
    assert sorted(losses) == list(range(1, 91))
    assert sorted(seen) == [10, 20, 30, 40, 45, 50, 60, 70, 80, 90]  # and before a validation
    last = 0
    for step, value in seen.items():
        assert value == pytest.approx(sum(losses[i] for i in range(last + 1, step + 1)) / (step - last), rel=1e-5)
        last = step
    assert sorted(points(tenth, "train/lr")) == sorted(seen)
    assert sorted(points(tenth, "val/accuracy")) == [45, 90]


def test_gradient_norms_are_logged_with_the_loss(train):
    run = train("callbacks=[grad_norm]", "log_every=10", "trainer.max_steps=20")
    names = [name for name, _ in assay.load(run.folder).artifact.network.named_parameters()]
    for name in names:
        assert sorted(points(run, f"grad_norm/{name}")) == [10, 20]
        assert all(value > 0 for value in points(run, f"grad_norm/{name}").values())


def test_the_loss_before_a_validation_has_its_gradient_norms(train):
    """Lightning drops the gradients before it validates: a run shorter than log_every would have no figure."""
    run = train("callbacks=[grad_norm]", "log_every=50", "trainer.max_steps=6")
    names = [name for name, _ in assay.load(run.folder).artifact.network.named_parameters()]
    assert list(points(run, "train/loss")) == [6]
    for name in names:
        assert list(points(run, f"grad_norm/{name}")) == [6]
    assert (run.folder / "figures" / "grad_norm.png").is_file()


# which weights


def test_averaged_weights_are_scored_and_the_raw_ones_come_back(train, monkeypatch):
    scored, raw = [], []
    evaluate, started, ended = Eager._evaluate, Eager.on_validation_epoch_start, Eager.on_validation_epoch_end

    def weights(module):
        return {name: value.detach().clone() for name, value in module.network.named_parameters()}

    def on_start(self):
        raw.append(weights(self))
        started(self)

    def on_batch(self, batch):
        scored.append((weights(self), {name: value.clone() for name, value in self.step.average.state().items()}))
        evaluate(self, batch)

    def on_end(self):
        ended(self)
        raw.append(weights(self))

    monkeypatch.setattr(Eager, "on_validation_epoch_start", on_start)
    monkeypatch.setattr(Eager, "_evaluate", on_batch)
    monkeypatch.setattr(Eager, "on_validation_epoch_end", on_end)
    train("ema=exponential", "trainer.max_epochs=2")
    for before, after in zip(raw[::2], raw[1::2], strict=True):
        assert all(torch.equal(before[name], after[name]) for name in before)
    found, average = scored[0]
    assert all(torch.equal(found[name], average[f"average.{name}"]) for name in found)
    assert not any(torch.equal(found[name], raw[0][name]) for name in found)


def test_nothing_of_an_evaluation_moves_what_is_trained(train):
    """A run that validates with another batch size trains the same weights: evaluation draws and changes nothing."""
    runs = [
        train("normalization=batch", "model.dropout=0.5", "trainer.max_steps=60", *extra)
        for extra in ([], ["+trainer.limit_val_batches=1"])
    ]
    states = [checkpoint.read(run.folder / "checkpoints" / "last.ckpt")[0] for run in runs]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_ties_go_to_the_later_epoch(train, monkeypatch):
    scores = iter([0.5, 0.7, 0.7, 0.6])
    validated = Recorder.validated
    monkeypatch.setattr(
        Recorder, "validated", lambda self, step, epoch, _: validated(self, step, epoch, {"val/accuracy": next(scores)})
    )
    run = train("trainer.max_epochs=4")
    assert run.summary["best_epoch"] == 2
    _, facts = checkpoint.read(run.folder / "checkpoints" / "best.ckpt")
    assert facts["best"] == {"score": 0.7, "epoch": 2, "step": 135}


@pytest.mark.parametrize(
    ("monitor", "mode", "best"),
    [("val/log_loss", None, min), ("val/accuracy", None, max), ("val/accuracy", "min", min)],
)
def test_best_is_by_the_monitored_metric(train, monitor, mode, best):
    words = [f"monitor={monitor}", *([f"monitor_mode={mode}"] if mode else [])]
    run = train(*words, "optim=sgd", "optim.lr=0.5", "scheduler=none", "trainer.max_epochs=3")
    scores = points(run, monitor)
    assert run.summary[monitor] == best(scores.values())
    weights, facts = checkpoint.read(run.folder / "checkpoints" / "best.ckpt")
    assert scores[facts["best"]["step"]] == best(scores.values())
    network = assay.load(run.folder).artifact.network.state_dict()
    assert all(torch.equal(weights[f"network.{name}"], value) for name, value in network.items())


# where it ends


@pytest.mark.parametrize("steps", [1, 45, 70])
def test_a_run_of_steps_validates_its_last_weights(train, steps):
    run = train(f"trainer.max_steps={steps}")
    assert run.summary["steps"] == steps
    validated = sorted(points(run, "val/accuracy"))
    assert validated == sorted({*range(45, steps, 45), steps})
    assert run.summary["best_epoch"] >= 0
    assert run.summary["val/accuracy"] == max(points(run, "val/accuracy").values())
    state, _ = checkpoint.read(run.folder / "checkpoints" / "last.ckpt")
    place = steps // 45, steps % 45
    assert (int(state["counter.epoch"]), int(state["counter.in_epoch"])) == place
    assert int(state["counter.step"]) == steps


def test_early_stopping_watches_the_monitored_metric(train):
    words = ["early_stopping=patience", "early_stopping.patience=1", "scheduler=none"]
    still = train(*words, "optim.lr=1e-12", "monitor=val/accuracy", "monitor_mode=min")
    assert still.summary["epochs"] == 2
    falling = train(*words, "optim.lr=1e-4", "monitor=val/log_loss", "trainer.max_epochs=3")
    assert falling.summary["epochs"] == 3
    state, _ = checkpoint.read(still.folder / "checkpoints" / "last.ckpt")
    assert int(state["stopping.waited"]) == 1, "what is saved has seen the last validation"


def test_an_epoch_of_accumulated_steps(train):
    run = train("accumulate=4", "trainer.max_epochs=2")
    assert run.summary["steps"] == 2 * 12  # 45 micro-batches, the last step of one
    assert sorted(points(run, "val/accuracy")) == [12, 24]


def test_mixed_precision_trains_in_float32_weights(train):
    mixed = train("trainer.precision=bf16-mixed", "trainer.max_epochs=2")
    full = train("trainer.max_epochs=2")
    assert mixed.summary["test/accuracy"] > 0.8
    a, b = (checkpoint.read(run.folder / "checkpoints" / "last.ckpt")[0] for run in (mixed, full))
    assert a["network.head.weight"].dtype == torch.float32
    assert not torch.equal(a["network.head.weight"], b["network.head.weight"])


@pytest.mark.parametrize("precision", ["64-true", "bf16-true"])
def test_true_precision_is_that_of_weights_and_artifact(train, precision):
    run = train(f"trainer.precision={precision}", "trainer.max_steps=40")
    dtype = {"64-true": torch.float64, "bf16-true": torch.bfloat16}[precision]
    network = assay.load(run.folder).artifact.network
    assert {p.dtype for p in network.parameters()} == {dtype}
    assert run.summary["test/accuracy"] > 0.5


# checkpoints


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        ("20steps", [0, 20, 40, 60, 80, 90]),
        ("1epochs", [0, 45, 90, 90]),
        ("2epochs", [0, 90, 90]),
        ("1h", [0, 90]),
    ],
)
def test_checkpoints_are_written_when_they_are_due(train, monkeypatch, every, expected):
    written, kept = [], []
    save = Checkpoints.save

    def watch(self, state, facts, best):
        save(self, state, facts, best)
        written.append(int(state["counter.step"]))
        previous = self.folder / "previous.ckpt"
        kept.append(int(checkpoint.read(previous)[0]["counter.step"]) if previous.exists() else None)

    monkeypatch.setattr(Checkpoints, "save", watch)
    run = train(f"checkpoint.every={every}", "trainer.max_epochs=2")
    assert written == expected
    assert kept == [None, *expected[:-1]], "previous is the one before"
    state, facts = checkpoint.read(run.folder / "checkpoints" / "last.ckpt")
    assert (int(state["counter.epoch"]), int(state["counter.in_epoch"])) == (2, 0)
    assert facts["history"].keys() == {"0", "1"}


def test_speed_leaves_out_what_is_not_a_step(train):
    run = train("trainer.max_epochs=2")
    summary = json.loads((run.folder / "summary.json").read_text(encoding="utf-8"))
    assert 0 < summary["training_seconds"] <= summary["seconds"]
    assert summary["steps_per_second"] == pytest.approx(90 / summary["training_seconds"], rel=0.05)

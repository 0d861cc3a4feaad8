"""A loss that is not finite is traced to step, layer and example; a replay is the run again, bit for bit."""

from __future__ import annotations

import re
from functools import partial

import pytest
import torch
from torch import nn

import assay
from assay.contracts import DataSpec, Encoded, Field
from assay.data.augment.mixup import Mixup
from assay.data.loaders import MemoryLoader
from assay.engines import checkpoint, replay
from assay.engines.replay import Culprit
from assay.engines.step import Step
from assay.layers.normalization import batch as batch_norm
from assay.layers.random import Dropout, KeyedStreams, name_layers
from assay.layers.stems.embedding import Embedding
from assay.losses.cross_entropy import CrossEntropy
from assay.optim.ema import ExponentialAverage
from assay.optim.schedule import Schedule
from assay.tasks.classification import Classification
from assay.tasks.lm import LanguageModeling
from tests.engines.test_step import SPEC, Stem, examples

GUILTY = 17  # the example that breaks things below


class Mine(nn.Module):
    """An identity that an input can set off: where the first feature is 99, ``how`` says what breaks."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, x):
        tripped = (x[:, :1] > 90).to(x.dtype)
        if self.how == "output":
            return x / (1 - tripped)  # a number by zero
        if self.how == "gradient":
            zero = x[:, :1] - x[:, :1].detach()
            return x + (zero * tripped + 1 - tripped).sqrt()  # finite, but the slope of sqrt at 0 is not
        return x


class Encoder(nn.Module):
    output_size = 8

    def __init__(self, how: str = "", dropout: float = 0.0, normalized: bool = False) -> None:
        super().__init__()
        self.before = nn.Linear(6, 6)
        with torch.no_grad():  # passes the first feature on
            self.before.weight.copy_(torch.eye(6))
            self.before.bias.zero_()
        self.mine = Mine(how)
        self.norm = batch_norm(6) if normalized else nn.Identity()
        self.hidden = nn.Linear(6, 8)
        self.dropout = Dropout(dropout)

    def forward(self, x, mask=None, state=None):
        return Encoded(None, self.dropout(torch.tanh(self.hidden(self.norm(self.mine(self.before(x)))))))


def trapped(count: int = 40):
    """Examples of which one is set to go off."""
    data = examples(count)
    data.columns["source"].tensor[GUILTY, 0] = 99.0
    return data


def made(encoder: Encoder, *, objective=None, lr: float = 0.1, **parts) -> Step:
    task = Classification(SPEC, objective or CrossEntropy())
    torch.manual_seed(1)
    net = task.network(Stem(), encoder).double()
    name_layers(net)
    return Step(task, net, torch.optim.SGD(net.parameters(), lr=lr), streams=KeyedStreams(0), **parts)


def at(step: Step, number: int = 0, epoch: int = 0, in_epoch: int = 0):
    counters = {"step": number, "epoch": epoch, "in_epoch": in_epoch}
    return {**step.capture(), **{f"counter.{name}": torch.tensor(value) for name, value in counters.items()}}


def find(step: Step, data, state, last: int, *, size: int = 8, accumulate: int = 1, scores=None) -> Culprit | None:
    loader = MemoryLoader(data, size, seed=0, accumulate=accumulate)
    return replay.find(step, loader, state, last, scores or {}, lambda batches: batches)


def step_of_example(data, size: int, accumulate: int = 1) -> int:
    """Which step of the first epoch visits the guilty example, counted from 1."""
    for number, batches in enumerate(MemoryLoader(data, size, seed=0, accumulate=accumulate), 1):
        if any(GUILTY in batch["index"] for batch in batches):
            return number
    raise AssertionError("no step visits it")


@pytest.mark.parametrize(
    ("size", "accumulate", "normalized"),
    [(8, 1, False), (4, 3, False), (1, 5, False), (40, 1, False), (8, 1, True), (4, 3, True), (40, 1, True)],
)
def test_a_layers_output_is_traced_to_step_layer_and_example(size, accumulate, normalized):
    data = trapped()
    step = made(Encoder("output", normalized=normalized))
    culprit = find(step, data, at(step), 100, size=size, accumulate=accumulate)
    expected = step_of_example(data, size, accumulate)
    assert culprit == Culprit(expected, "encoder.mine", "the output", (GUILTY,))
    assert str(culprit) == f"step {expected}: the output of encoder.mine, example {GUILTY}"


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_gradient_alone_is_traced_to_the_layer_it_reached_first(accumulate):
    data = trapped()
    step = made(Encoder("gradient"))
    culprit = find(step, data, at(step), 100, accumulate=accumulate)
    assert culprit is not None
    assert culprit.what == "the gradient"
    assert culprit.layer in ("encoder.before.bias", "encoder.before.weight")  # nearest below the mine
    assert culprit.examples == (GUILTY,)
    assert culprit.step == step_of_example(data, 8, accumulate)


class Spoiled(nn.Module):
    """An objective that has no number for one example."""

    features = ()

    def __init__(self) -> None:
        super().__init__()
        self.inner = CrossEntropy()

    def forward(self, output, batch):
        (term,) = self.inner(output, batch).values()
        bad = torch.where(batch["index"] == GUILTY, torch.nan, 0.0).sum()
        return {"loss": term._replace(total=term.total + bad)}


def test_a_loss_alone_is_the_objectives():
    step = made(Encoder(), objective=Spoiled())
    data = examples()
    culprit = find(step, data, at(step), 100)
    assert culprit == Culprit(step_of_example(data, 8), "the objective", "the loss", (GUILTY,))


class Together(nn.Module):
    """An objective that breaks on a whole batch only: no example does it alone."""

    features = ()

    def forward(self, output, batch):
        (term,) = CrossEntropy()(output, batch).values()
        return {"loss": term._replace(total=term.total * (torch.inf if len(batch["index"]) == 8 else 1.0))}


def test_what_only_a_batch_does_names_the_batch():
    step = made(Encoder(), objective=Together())
    data = examples()
    culprit = find(step, data, at(step), 100)
    (first,) = next(iter(MemoryLoader(data, 8, seed=0)))
    assert culprit == Culprit(1, "the objective", "the loss", tuple(first["index"].tolist()))
    assert str(culprit).endswith(", ".join(map(str, culprit.examples)))


def test_a_weight_that_overflows_in_the_update_is_named():
    step = made(Encoder(), lr=1e308)
    for group in step.optimizer.param_groups:
        group["lr"] = float("1e308") * 10  # infinite: 0 · inf and inf alike
    culprit = find(step, examples(), at(step), 100)
    assert culprit is not None
    assert (culprit.step, culprit.what, culprit.examples) == (1, "the updated weight", ())
    assert str(culprit).startswith("step 1: the updated weight of ")


def test_many_examples_are_cut_short():
    culprit = Culprit(3, "head", "the output", tuple(range(9)))
    assert str(culprit) == "step 3: the output of head, examples 0, 1, 2, 3, 4, 5, 6, 7, …"


def test_nothing_is_found_where_nothing_breaks():
    step = made(Encoder())
    assert find(step, examples(), at(step), 12) is None
    assert find(step, examples(), at(step, 12, 2, 2), 12) is None


def test_hooks_are_gone_afterwards():
    for how in ("", "output"):
        step = made(Encoder(how))
        find(step, trapped(), at(step), 20)
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in step.network.modules())


# the replay is the run


def everything_on() -> Step:
    step = made(Encoder(dropout=0.4, normalized=True), augment=Mixup(SPEC, seed=3, alpha=0.4))
    step.average = ExponentialAverage(step.network, decay=0.9)
    plateau = partial(torch.optim.lr_scheduler.ReduceLROnPlateau, factor=0.5, patience=0)
    step.schedule = Schedule(plateau, step.optimizer, total_steps=100, mode="max")
    return step


SCORES = {0: 0.5, 1: 0.4, 2: 0.3, 3: 0.6}  # the rate is halved after epochs 1 and 2


def live(step: Step, data, steps: int) -> dict:
    """A run of its own making: ``{number of steps taken: state}``, after each step and after each epoch's end."""
    loader = MemoryLoader(data, 8, seed=0)
    states, number = {(0, 0, 0): at(step)}, 0
    for epoch in range(len(SCORES)):
        loader.set_epoch(epoch)
        for in_epoch, batches in enumerate(loader, 1):
            step(batches, epoch, number)
            number += 1
            states[number, epoch, in_epoch] = at(step, number, epoch, in_epoch)
            if number == steps:
                return states
        step.schedule.validated(SCORES[epoch])
        states[number, epoch + 1, 0] = at(step, number, epoch + 1, 0)
    return states


def test_a_replay_is_the_run_bit_for_bit():
    """Over epoch ends, with a schedule that watches validation, EMA, batch statistics, dropout and mixup."""
    data = examples()
    states = live(everything_on(), data, 17)  # five steps an epoch
    final = states[17, 3, 2]
    rates = {key: float(state["optimizer.group.0.lr"]) for key, state in states.items()}
    assert rates[10, 1, 5] == 0.1
    assert rates[10, 2, 0] == 0.05  # the plateau moved
    assert rates[17, 3, 2] == 0.025
    for start in [(0, 0, 0), (3, 0, 3), (5, 0, 5), (5, 1, 0), (10, 1, 5), (10, 2, 0), (16, 3, 1)]:
        step = everything_on()
        assert find(step, data, states[start], 17, scores=SCORES) is None
        replayed = step.capture()
        assert replayed.keys() == {name for name in final if not name.startswith("counter.")}
        different = [name for name, value in replayed.items() if not torch.equal(value, final[name])]
        assert not different, start


class Checked:
    """Wraps ``replay.find``: does the state after the replay equal the live run's?"""

    def __init__(self, last: int) -> None:
        self.last = last
        self.compared = 0

    def __call__(self, step, loader, state, last, scores, move):
        final = {name: value for name, value in step.capture().items() if not name.startswith("ema.")}
        self.start = int(state["counter.step"])
        assert self.original(step, loader, state, self.last, scores, move) is None
        again = step.capture()
        self.different = [name for name, value in final.items() if not torch.equal(value, again[name])]
        self.compared = len(final)
        return Culprit(last, "nothing", "the output", ())

    original = staticmethod(replay.find)


@pytest.mark.parametrize(
    ("every", "precision"), [("45steps", "32-true"), ("1epochs", "64-true"), ("100steps", "bf16-mixed")]
)
def test_a_replay_of_a_real_run_is_the_run(tmp_path, monkeypatch, every, precision):
    """Through Lightning: the run is declared broken at step 110 (of 45 an epoch) and its replay compared with it.

    Checkpoints stand within an epoch, at its end before validation, and at its end after it."""
    from assay.engines.eager import Eager, NonFiniteLoss
    from assay.run import Failed

    taken = Eager.training_step

    def stop(self, micro_batches, batch_idx):
        taken(self, micro_batches, batch_idx)
        if self.number == 110:
            raise NonFiniteLoss

    checked = Checked(110)
    monkeypatch.setattr(Eager, "training_step", stop)
    monkeypatch.setattr(replay, "find", checked)
    with pytest.raises(Failed):
        assay.train(
            f"outputs={tmp_path}", "logger=none", "model=mlp", "model.dropout=0.3", "normalization=batch",
            "ema=exponential", "augment=mixup", "scheduler=plateau", "scheduler.patience=0", "monitor=val/accuracy",
            "monitor_mode=min", "clip=norm", f"checkpoint.every={every}", "trainer.max_epochs=4", "log_every=7",
            f"trainer.precision={precision}",
        )  # fmt: skip
    assert checked.start == {"45steps": 90, "1epochs": 90, "100steps": 100}[every]
    assert checked.compared > 10
    assert not checked.different


@pytest.mark.parametrize(
    ("words", "layer"),
    [
        (["model=mlp"], r"encoder\.\S+|stem\S*"),
        (["model=mlp", "trainer.precision=64-true"], r"encoder\.\S+|stem\S*"),
        (["model=mlp", "trainer.precision=bf16-mixed", "accumulate=3"], r"encoder\.\S+|stem\S*"),
        (["model=lstm"], r"encoder\.\S+|stem\S*"),
        (["model=cnn", "normalization=batch", "ema=exponential"], r"encoder\.\S+|stem\S*"),
    ],
)
def test_a_broken_input_is_named_by_the_line_that_is_printed(tmp_path, monkeypatch, words, layer):
    from assay.data.digits import Digits
    from assay.run import Failed

    original = Digits.setup

    def spoil(self):
        original(self)
        train = self.splits["train"]
        self.spoiled = int(train.index[700])
        train.columns["source"].tensor[self.spoiled] = torch.nan
        spoiled.append(self.spoiled)

    spoiled: list[int] = []
    monkeypatch.setattr(Digits, "setup", spoil)
    with pytest.raises(Failed) as caught:
        assay.train(f"outputs={tmp_path}", "logger=none", "trainer.max_epochs=2", "log_every=10", *words)
    found = re.fullmatch(
        rf"the loss is not finite: step (\d+): the output of ({layer}), example (\d+); try optim\.lr=\S+ or clip=norm",
        str(caught.value),
    )
    assert found, str(caught.value)
    assert int(found[3]) == spoiled[0]


def test_a_broken_label_is_named_by_the_line_that_is_printed(tmp_path, monkeypatch):
    from assay.losses.mse import MeanSquaredError
    from assay.run import Failed

    path = tmp_path / "numbers.csv"
    path.write_text("a,b,y\n" + "".join(f"{i},{i * i % 7},{i / 3:.3f}\n" for i in range(120)))
    original = MeanSquaredError.forward

    def spoil(self, output, batch):
        if output.logits.requires_grad:
            label = batch["label"].masked_fill(batch["index"] == guilty, torch.inf)
            return original(self, output, {**batch, "label": label})
        return original(self, output, batch)

    guilty = 41
    monkeypatch.setattr(MeanSquaredError, "forward", spoil)
    words = ["data=tabular_csv", f"data.path={path}", "data.label=y", "task=regression", "model=mlp"]
    while True:  # an example that the split gives to training
        try:
            assay.train(f"outputs={tmp_path / 'outputs'}", "logger=none", "trainer.max_epochs=1", *words)
        except Failed as failed:
            line = str(failed)
            break
        guilty += 1
    assert re.search(rf"step \d+: the loss of the objective, example {guilty};", line), line
    state, _ = checkpoint.read(tmp_path / "outputs" / "latest" / "checkpoints" / "last.ckpt")
    assert checkpoint.is_finite(state)


class Fills(nn.Module):
    """states = ln(30 - what the row has read of its text): no number once that is more."""

    output_size = 1

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x, mask=None, state=None):
        before = 0 if state is None else state[0].unsqueeze(1)
        read = before + x.cumsum(1)  # (B, T, 1)
        states = (30 - read).log() * self.weight
        return Encoded(states, states[:, -1], (read[:, -1],))


def test_with_a_carried_state_the_example_is_found_by_what_its_row_had_read():
    """Row 2 alone, with the state of another row, breaks nothing."""
    names = tuple("abcdefgh")
    spec = DataSpec({"source": Field("ids", (None,), 8, names=names), "label": Field("tokens", (None,), 8, -1, names)})
    task = LanguageModeling(spec, CrossEntropy())
    stem = Embedding(spec.source, 1)
    with torch.no_grad():
        stem.embedding.weight.copy_(torch.arange(8.0).unsqueeze(1))
    stem.requires_grad_(False)
    network = task.network(stem, Fills())
    text = torch.tensor([[1] * 9, [2] * 9, [5] * 9, [0] * 9])
    batches = [
        {
            "source": text[:, start : start + 4],
            "label": text[:, start + 1 : start + 5],
            "fresh": torch.full((4,), start == 0),
            "index": torch.arange(4) + start,
        }
        for start in (0, 4)
    ]
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=1e-3)
    step = Step(task, network, optimizer, streams=KeyedStreams(0))

    class Loader(list):
        start = 0

        def set_epoch(self, epoch):
            pass

    counters = {f"counter.{name}": torch.tensor(0) for name in ("step", "epoch", "in_epoch")}
    found = replay.find(
        step, Loader([[one] for one in batches]), {**step.capture(), **counters}, 2, {}, lambda batch: batch
    )
    assert found is not None
    assert (found.step, found.layer, found.examples) == (2, "encoder", (6,))

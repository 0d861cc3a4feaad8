"""A run that is interrupted and resumed ends as one that never was: 0 bits of difference."""

from __future__ import annotations

import dataclasses
import zlib

import pytest

from assay.preflight import Point, compose
from tests import covers
from tests.interruptions import MOMENTS, Moment, bits, drawn, interrupted, killed, train

SAMPLE = 3  # random points of all groups in the default suite; the whole pairwise cover with -m slow
LARGE = ("torchvision", "vgg16")  # models that take most of the sample's time; the whole cover has them
GROUPS = covers.options()
EPOCHS, STEPS = 3, 4
SHORT = [
    "debug=none",
    "data.batch_size=8",
    f"trainer.max_epochs={EPOCHS}",
    f"+trainer.limit_train_batches={STEPS}",
    "+trainer.limit_val_batches=2",
    "+trainer.limit_test_batches=2",
    "checkpoint.every=3steps",
    "log_every=5",  # not a divisor of the epoch: losses are carried over checkpoints
]
FAMILIES = {
    "recurrent": ["model=lstm", "model.dropout=0.3", "clip=norm"],
    "attention": ["model=transformer", "data=char_position", "data.examples=200", "optim=sgd", "scheduler=plateau"],
    "convolution": ["model=cnn", "normalization=batch", "augment=mixup", "optim=adam"],
    "bag": ["model=bag", "data=char_contains", "data.examples=200", "accumulate=2"],
    "averages": ["model=mlp", "ema=exponential", "early_stopping=patience", "early_stopping.patience=1"],
    "fine-tuning": [
        "model=cnn",
        "normalization=batch",
        "freeze=[encoder.blocks.0,encoder.blocks.1]",
        "ema=swa",
        "ema.start=0.3",
        "ema.every=2",
        "optim.layer_decay=0.7",
        "optim.groups=[head:2]",
        "lr_finder=true",
    ],
    "quasi-Newton": ["model=mlp", "optim=lbfgs", "optim.max_iter=3", "clip=norm", "accumulate=2", "model.dropout=0.2"],
    "recorded": ["model=linear", "logger.mode=offline"],  # W&B's record is compared too
    "stopping put off": [
        "model=mlp",
        "early_stopping=patience",
        "early_stopping.patience=1",
        "early_stopping.min_delta=9",
        "+trainer.min_epochs=3",
        "checkpoint.every=1epochs",
    ],
    "diagnostics": ["model=mlp", "callbacks=[grad_norm]", "trainer.precision=64-true"],
    "carried": [  # a state goes on from window to window, and from micro-batch to micro-batch
        "data=corpus",
        f"data.path={covers.ROOT / 'CONTRIBUTING.md'}",
        "data.length=6",
        "task.tied=true",
        "model.hidden_size=64",
        "model.dropout=0.3",
        "accumulate=2",
        "ema=exponential",
    ],
    "half an epoch": ["model=mlp", "+trainer.val_check_interval=2", "scheduler=none", "normalization=layer"],
}


@pytest.fixture
def counted(record_property):
    """Says what was done at the end of the session (tests/conftest.py)."""

    def count(what: str, number: int, difference: dict[str, int]) -> None:
        record_property("resumed", (what, number, sum(difference.values())))
        assert not difference

    return count


def short(bench: covers.Bench) -> covers.Bench:
    """The same, its runs a few epochs of a few steps."""
    left = [word for word in bench.always if not word.startswith(("debug=", "log_every="))]
    return dataclasses.replace(bench, always=[*left, *SHORT], cache={})


def point_of(bench: covers.Bench, row: dict[str, str]) -> Point:
    point = bench.point(row)
    assert isinstance(point, Point), point
    return point


def key(row: dict[str, str]) -> int:
    return zlib.crc32(repr(sorted(row.items())).encode())


def test_points_interrupted_three_times_lose_no_bit(bench, tmp_path, counted):
    rows = covers.sample(bench, covers.available(GROUPS), seed=1, wanted=2 * SAMPLE)
    for i, row in enumerate([row for row in rows if row.get("model") not in LARGE][:SAMPLE]):
        point = point_of(short(bench), row)
        train(point, tmp_path / f"{i}-whole")
        reached = interrupted(point, tmp_path / f"{i}-cut", drawn(key(row), 3))
        assert reached == 3
        counted("interruptions", reached, bits(tmp_path / f"{i}-whole", tmp_path / f"{i}-cut"))


@pytest.mark.slow
def test_the_whole_cover_interrupted_three_times_loses_no_bit(bench, tmp_path, counted):
    rows, _ = covers.cover(bench, covers.available(GROUPS))
    for i, row in enumerate(rows):
        point = point_of(short(bench), row)
        train(point, tmp_path / f"{i}-whole")
        reached = interrupted(point, tmp_path / f"{i}-cut", drawn(key(row), 3))
        assert reached == 3
        counted("interruptions", reached, bits(tmp_path / f"{i}-whole", tmp_path / f"{i}-cut"))


@pytest.mark.parametrize("family", FAMILIES)
def test_sigkill_at_every_moment_loses_no_bit(tmp_path, monkeypatch, counted, family):
    monkeypatch.delenv("WANDB_MODE")
    short = [
        word for word in SHORT if not any(word.partition("=")[0] == one.partition("=")[0] for one in FAMILIES[family])
    ]
    if not any(word.startswith("logger") for word in FAMILIES[family]):
        short.append("logger=none")
    words = [*FAMILIES[family], *short, f"outputs={tmp_path / 'outputs'}"]
    point = compose(words)
    train(point, tmp_path / "whole")
    assert (tmp_path / "whole" / "wandb").is_dir() == (family == "recorded")
    numbers = {"step": 3, "writing": 2, "between the files": 2, "renaming": 2}
    moments = [Moment(name, numbers.get(name, 1)) for name in MOMENTS]
    reached = killed(point, tmp_path / "cut", moments)
    assert reached == len(moments)
    counted("SIGKILLs", reached, bits(tmp_path / "whole", tmp_path / "cut"))


@pytest.mark.slow
def test_sigkill_of_a_student_of_running_text_loses_no_bit(tmp_path, counted):
    """Its own states are carried, and its teacher's."""
    import assay

    words = ["data=corpus", f"data.path={covers.ROOT / 'CONTRIBUTING.md'}", "data.length=6", "model.hidden_size=16"]
    words += [*SHORT, "logger=none", "trainer=cpu", f"outputs={tmp_path / 'outputs'}"]
    teacher = assay.train(*words).folder
    point = compose([*words, "distillation=kd", f"distillation.teacher.run={teacher}", "model.dropout=0.3"])
    train(point, tmp_path / "whole")
    moments = [Moment(name) for name in MOMENTS]
    reached = killed(point, tmp_path / "cut", moments)
    assert reached == len(moments)
    counted("SIGKILLs", reached, bits(tmp_path / "whole", tmp_path / "cut"))


def options() -> list[tuple[str, str]]:
    return [(group, name) for group, names in GROUPS.items() for name in names]


@pytest.mark.slow
@pytest.mark.parametrize(("group", "name"), options())
def test_sigkill_of_every_option_loses_no_bit(bench, tmp_path, counted, group, name):
    if name not in covers.available(GROUPS)[group]:
        pytest.skip(f"the files of {group}={name} are not at hand (ASSAY_DATA or ../shared/data)")
    row = bench.seat({group: name}, covers.available(GROUPS))
    assert isinstance(row, dict), row
    point = point_of(short(bench), row)
    train(point, tmp_path / "whole")
    reached = killed(point, tmp_path / "cut", [Moment("step", 4), *drawn(key(row), 2)])
    assert reached == 3
    counted("SIGKILLs", reached, bits(tmp_path / "whole", tmp_path / "cut"))

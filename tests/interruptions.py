"""Runs that are interrupted, by an exception or by SIGKILL, and resumed; and how far they end from an unbroken one.

A moment is the n-th call of something that a run does: a step, a batch of validation, the writing of a checkpoint, a
rename, a batch of the test, the artifact. An exception leaves the process, whose next run restores from disk into fresh
objects; SIGKILL takes a process that was forked for it, as the operating system takes one without warning.
"""

from __future__ import annotations

import csv
import json
import os
import random
import signal
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from assay import artifacts, folder, parts
from assay import run as running
from assay.engines import checkpoint, checkpoints
from assay.engines.eager import Eager
from assay.preflight import Point
from assay.review import wandb_record

MOMENTS = ("beginning", "step", "validation", "writing", "between the files", "renaming", "test", "ending")


class Moment(NamedTuple):
    """The ``number``-th time, counted from 1 in each process, that a run comes to ``name``."""

    name: str
    number: int = 1


class Interrupted(BaseException):
    """Not an Exception: nothing in a run may catch it and go on."""


def leave() -> None:
    raise Interrupted


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def at(moment: Moment, end: Callable[[], None]) -> Generator[None]:
    """While open, a run that comes to the moment ends."""
    calls = 0

    def counted(original: Callable[..., Any], before: Callable[..., None] | None = None) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == moment.number:
                if before is not None:
                    before(*arguments)
                end()
            return original(*arguments, **named)

        return call

    def half_written(path: Path, state: Any, facts: Any) -> None:
        path.parent.mkdir(exist_ok=True)
        path.with_name(path.name + checkpoint.SUFFIX).write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{")

    places: dict[str, tuple[Any, str, Callable[..., None] | None]] = {
        "beginning": (parts, "make_trainer", None),
        "step": (Eager, "training_step", None),
        "validation": (Eager, "validation_step", None),
        "writing": (checkpoint, "prepare", half_written),
        "between the files": (checkpoints, "_become_previous", None),
        "renaming": (checkpoint, "sync_folder", None),
        "test": (Eager, "test_step", None),
        "ending": (artifacts, "save", None),
    }
    owner, name, before = places[moment.name]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, counted(getattr(owner, name), before))
        yield


def train(point: Point, where: Path, *, resume: bool = False) -> None:
    where.mkdir(parents=True, exist_ok=True)
    if not resume:
        folder.write_config(where, point.config, point.overrides)
    running.run(point.config, list(point.overrides), where, resume=resume)


def interrupted(point: Point, where: Path, moments: Sequence[Moment]) -> int:
    """Trains to the end, interrupted at each moment and resumed; returns how many of them it came to."""
    reached = 0
    for position, moment in enumerate(moments):
        with at(moment, leave), suppress(Interrupted):
            train(point, where, resume=position > 0)
            break
        reached += 1
    else:
        train(point, where, resume=bool(moments))
    return reached


def killed(point: Point, where: Path, moments: Sequence[Moment]) -> int:
    """The same by SIGKILL, each time in a process of its own."""
    reached = 0
    for position, moment in enumerate(moments):
        if not _is_killed(point, where, moment, resume=position > 0):
            return reached
        reached += 1
    train(point, where, resume=bool(moments))
    return reached


def _is_killed(point: Point, where: Path, moment: Moment, *, resume: bool) -> bool:
    where.mkdir(parents=True, exist_ok=True)
    pid = os.fork()
    if pid == 0:
        with open(where.parent / f"{where.name}.out", "ab") as out:
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
        status = 1
        try:
            with at(moment, die):
                train(point, where, resume=resume)
            status = 0
        except BaseException as error:
            (where.parent / f"{where.name}.error").write_text(repr(error))
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, (where.parent / f"{where.name}.error").read_text()
    return False


def drawn(seed: int, count: int, names: Sequence[str] = MOMENTS) -> list[Moment]:
    """Moments at random, in an order in which a run of a few steps comes to all of them."""
    generator = random.Random(seed)
    chosen = sorted((generator.choice(names) for _ in range(count)), key=MOMENTS.index)
    repeated = {"step": 4, "writing": 2, "renaming": 2}
    return [Moment(name, generator.randint(1, repeated.get(name, 1))) for name in chosen]


def bits(one: Path, other: Path) -> dict[str, int]:
    """What two runs left, compared: {file: bits that differ}, of those in which any does."""
    found: dict[str, int] = {}
    for name in ("checkpoints/last.ckpt", "checkpoints/best.ckpt"):
        (a, about_a), (b, about_b) = checkpoint.read(one / name), checkpoint.read(other / name)
        found[name] = _tensors(a, b) + 8 * (_timeless(about_a) != _timeless(about_b))
    weights = [artifacts.read_weights(path / "artifact" / "weights.safetensors") for path in (one, other)]
    found["artifact"] = _tensors(*weights)
    for name in ("metrics.csv", "predictions/test.csv"):
        found[name] = _bytes((one / name).read_bytes(), (other / name).read_bytes())
    summaries = [json.loads((path / "summary.json").read_text()) for path in (one, other)]
    found["summary.json"] = 8 * (_timeless(summaries[0]) != _timeless(summaries[1]))
    if (one / "wandb").is_dir():
        records = [wandb_record.read(path) for path in (one, other)]
        points = [[_timeless(row) for row in record.history] for record in records]
        found["wandb"] = 8 * (points[0] != points[1])
        assert len({row.get("_step") for row in records[1].history}) == len(records[1].history)
    return {name: count for name, count in found.items() if count}


_TIMES = ("seconds", "training_seconds", "steps_per_second", "_timestamp", "_runtime", "_wandb")


def _timeless(facts: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if key not in _TIMES}


def _tensors(a: dict[str, Tensor], b: dict[str, Tensor]) -> int:
    different = 8 * len(a.keys() ^ b.keys())
    for name in a.keys() & b.keys():
        x, y = (tensor[name].contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() for tensor in (a, b))
        different += _bytes(x, y)
    return different


def _bytes(a: bytes, b: bytes) -> int:
    shared = min(len(a), len(b))
    x, y = np.frombuffer(a[:shared], np.uint8), np.frombuffer(b[:shared], np.uint8)
    return int(np.bitwise_count(x ^ y).sum()) + 8 * abs(len(a) - len(b))


def rows(where: Path) -> list[dict[str, str]]:
    with open(where / "metrics.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))

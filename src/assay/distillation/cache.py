"""A teacher cache that cannot lie: answers on the training split, asked for once, kept for every epoch, run and rank.

They reach the objective as a column of the training examples, memory-mapped and gathered with the batch, so that an
epoch costs next to nothing more than one without a teacher. Files lie in ``outputs/teachers``, named by a fingerprint
of all that the answers depend on (:mod:`assay.distillation.cache_key`), and say it in words
(:mod:`assay.distillation.cache_file`): a file that holds anything else is refused.

Inputs that change from epoch to epoch (``augment=…``) have no answers to keep, nor has a teacher that learns: then
``distillation.cache=auto`` asks at each step and says so, and ``true`` is refused.

Kept answers are those of the whole teacher in its own precision, whatever the student trains in; asked at each step
under ``trainer.precision=bf16-mixed`` they are rounded as the student's are.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from assay.data.dataset import DataSet
from assay.data.examples import Examples, Rows
from assay.data.loaders import MemoryLoader, WorkerLoader, to_device
from assay.data.training import Training
from assay.distillation import cache_file, cache_key, cache_switch
from assay.distillation.answers import KEY
from assay.engines.ranks import Ranks

BATCH = 256  # examples asked about at a time: always, since the last bits of an answer hang on it
_LIVE = "live"
_QUIET = 3.0  # seconds of asking before anything is said


@dataclass(frozen=True)
class Taught:
    """notes: for the first screen. chosen: what a resumed run obeys: ``live``, or the digest of the answers and the
    threads that they were computed with, so that a file that has been deleted is written again bit for bit."""

    notes: list[str] = field(default_factory=list)
    chosen: dict[str, Any] = field(default_factory=dict)


def attach(
    objective: Any,
    dataset: DataSet,
    training: Training,
    config: Mapping[str, Any],
    total: int,
    device: str,
    ranks: Ranks | None,
    begun: Mapping[str, Any] | None,
) -> Taught:
    """Puts a column of the teacher's answers beside ``training.examples``, where the objective has a cache.

    Args:
        objective: perhaps one with ``teacher``, ``cache`` and ``cache_dtype``.
        dataset, training, config: of the run.
        total: its steps.
        device: where the teacher is asked.
        ranks: the first process writes the file, the others then read it.
        begun: what an earlier process of this run chose; None where it begins.
    Raises:
        ConfigError: answers cannot be kept and the user asked for it, or a file holds others.
    """
    if not hasattr(objective, "cache"):
        return Taught()
    teacher: Any = objective.teacher
    switch = cache_switch.parsed(objective.cache)
    if (reason := _why_live(switch, teacher, dataset, config, total, begun)) is not None:
        return Taught([f"teacher's answers: asked at each step, {reason}"], {"teacher_answers": _LIVE})
    key = cache_key.fields(teacher, dataset, objective.cache_dtype)
    path = _place(switch, str(config["outputs"]), key)
    threads = (begun or {}).get("teacher_threads") or _cores()
    train = dataset.splits["train"]

    def ask() -> tuple[Tensor, Iterable[Tensor]]:
        return train.index, _asked(teacher, train, dataset.workers, device, int(threads), path)

    made = {"threads": str(threads), "device": device, "torch": torch.__version__, **_read_from(teacher)}
    first = ranks is None or ranks.first
    if ranks is not None and not first:
        ranks.told(0)  # waits for it
    kept, seconds = cache_file.opened(path, key, ask, made)
    if ranks is not None and first:
        ranks.told(0)
    training.examples = training.examples.beside(KEY, Rows(kept.answers, kept.numbers, _count(train)))
    shape = " x ".join(f"{size:,}" for size in kept.answers.shape)
    how = "read" if seconds is None else f"written in {seconds:.1f} s"
    note = f"teacher's answers: {shape} {objective.cache_dtype} in {_shown(path)} ({how})"
    return Taught([note], {"teacher_answers": kept.facts["digest"][:16], "teacher_threads": int(kept.facts["threads"])})


def _why_live(
    switch: bool | str,
    teacher: Any,
    dataset: DataSet,
    config: Mapping[str, Any],
    total: int,
    begun: Mapping[str, Any] | None,
) -> str | None:
    """Why the teacher is asked at each step; None where its answers are kept."""
    if switch is False:
        return "distillation.cache=false"
    reason, mend = cache_switch.against(config["switches"]), cache_switch.mended(config["switches"])
    if reason is None and not getattr(teacher, "artifacts", None):
        reason, mend = "this teacher changes while the student learns", "use a trained run as the teacher"
    if reason is not None and switch != "auto":
        raise cache_switch.refusal(switch, reason, mend)
    if reason is not None or switch is True or switch != "auto":
        return reason
    if begun is not None and "teacher_answers" in begun:  # the length of the run may have changed
        return "as this run began" if begun["teacher_answers"] == _LIVE else None
    size, count = config["data"]["batch_size"], len(dataset.splits["train"])
    visits = total * config["accumulate"] * (count if size == "full" else int(size))
    return None if visits >= count else f"for {visits:,} of the {count:,} examples are visited"


def _read_from(teacher: Any) -> dict[str, str]:
    """By what and where `assay clean` finds out whether the teacher is still there."""
    places = [str(Path(place).absolute()) for place in getattr(teacher, "places", ())]
    return {"artifacts": " ".join(teacher.digests), "places": json.dumps(places)} if places else {}


def _place(switch: bool | str, outputs: str, key: Mapping[str, str]) -> Path:
    if isinstance(switch, str) and switch != "auto" and cache_switch.is_file(switch):
        return Path(switch)
    folder = Path(switch) if isinstance(switch, str) and switch != "auto" else Path(outputs, cache_switch.FOLDER)
    return folder / f"{cache_key.fingerprint(key)}{cache_switch.SUFFIX}"


def _asked(teacher: Any, examples: Examples, workers: int, device: str, threads: int, path: Path) -> Iterator[Tensor]:
    """The teacher's answers in the order of the examples, the same bits each time: the batches and the number of
    threads are always the same."""
    settings: dict[str, Any] = {"workers": workers} if examples.lazy else {}
    make = WorkerLoader if examples.lazy else MemoryLoader
    done, began, said = 0, time.monotonic(), False
    with _threads(threads):
        for batch in make(examples, BATCH, accumulate=None, **settings):
            with torch.no_grad():
                output = teacher(to_device(batch, torch.device(device)))
            answers = output.logits if output.log_probs is None else output.log_probs
            done += len(answers)
            if not said and time.monotonic() - began > _QUIET and done < len(examples):
                left = (time.monotonic() - began) / done * (len(examples) - done)
                what = f"asking the teacher once about {len(examples):,} examples, for {path}"
                print(f"{what}: {left:.0f} s to go", file=sys.stderr, flush=True)
                said = True
            yield answers


@contextmanager
def _threads(count: int) -> Generator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _cores() -> int:
    """Those that this process may use: whatever the student's step is best served by."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(min(cores, int(os.environ.get("OMP_NUM_THREADS", "").partition(",")[0] or cores)), 1)


def _count(examples: Examples) -> int:
    return len(next(iter(examples.columns.values())))


def _shown(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)

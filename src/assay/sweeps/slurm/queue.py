"""What SLURM knows of a sweep's points, asked with its own commands, and what we know that it was given.

``slurm/jobs.jsonl`` in the sweep's folder holds a line for each submission: the job, and which points its tasks are. A
point's number is the task's index in the array, plus the ``base`` of the submission. Imports no torch.
"""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.sweeps.ledger.journal import Journal

PLACE = "slurm"
"""In the sweep's folder: scripts, output of tasks, what each is told."""

CANCELLED = "cancelled"
"""In it: `assay cancel` was given, so that what is stopped does not go back into the queue."""

_WAIT = 60  # seconds for an answer of SLURM's


@dataclass(frozen=True)
class Batch:
    """One submission.

    Attributes:
        job: SLURM's number of the array; of the stand-in, the process that runs the point.
        base: the point that is the array's index 0.
        numbers: the points.
        cluster: slurm or local.
    """

    job: str
    base: int
    numbers: tuple[int, ...]
    cluster: str

    def task(self, number: int) -> str:
        """SLURM's name of a point's task."""
        return f"{self.job}_{number - self.base}" if self.cluster == "slurm" else self.job


@dataclass(frozen=True)
class Queued:
    """A point that the queue holds.

    Attributes:
        state: in SLURM's words: PENDING, RUNNING, COMPLETING, …
        reason: why it waits.
        node: where it runs.
    """

    number: int
    task: str
    state: str
    reason: str = ""
    node: str = ""

    @property
    def waits(self) -> bool:
        return self.state in ("PENDING", "REQUEUED", "REQUEUE_HOLD", "SUSPENDED", "CONFIGURING")


def place(sweep: Path) -> Path:
    return sweep / PLACE


def batches(sweep: Path) -> list[Batch]:
    """All submissions, in their order."""
    found: list[Batch] = []

    def take(line: Mapping[str, Any]) -> None:
        found.append(Batch(str(line["job"]), int(line["base"]), tuple(map(int, line["numbers"])), str(line["cluster"])))

    Journal(place(sweep) / "jobs.jsonl", take, found.clear).read()
    return found


def note(sweep: Path, batch: Batch) -> None:
    """Keeps a submission."""
    journal = Journal(place(sweep) / "jobs.jsonl", lambda line: None, lambda: None)
    line = {"job": batch.job, "base": batch.base, "numbers": list(batch.numbers), "cluster": batch.cluster}
    with journal.appending() as append:
        append([line])


def queued(sweep: Path) -> dict[int, Queued]:
    """The points that wait or run, by number.

    Raises:
        OSError: SLURM does not answer.
    """
    known = batches(sweep)
    found = {
        number: Queued(number, one.job, "RUNNING")
        for one in known
        if one.cluster == "local" and _lives(one.job)
        for number in one.numbers
    }
    arrays = {one.job: one for one in known if one.cluster == "slurm"}
    if not arrays:
        return found
    text = told("squeue", "--noheader", "--array", f"--user={getpass.getuser()}", "--format=%F|%K|%T|%r|%N")
    for line in text.splitlines():
        job, index, state, reason, node = (part.strip() for part in (*line.split("|", 4), "", "", "", "")[:5])
        if job in arrays and index.isdigit():
            number = arrays[job].base + int(index)
            found[number] = Queued(number, f"{job}_{index}", state, reason, node)
    return found


def cancel(tasks: Sequence[Queued]) -> None:
    """Takes what waits out of the queue, and tells what runs to save and stop.

    Raises:
        OSError: SLURM does not answer.
    """
    waiting = [one.task for one in tasks if one.waits]
    running = [one.task for one in tasks if not one.waits and one.state != "COMPLETING"]
    if waiting:
        told("scancel", *waiting)
    if running:
        told("scancel", "--signal=TERM", *running)


def requeue(task: str) -> None:
    """Puts the task back into the queue.

    Raises:
        OSError: SLURM refuses.
    """
    told("scontrol", "requeue", task)


def is_preempted(task: str) -> bool:
    """Whether SLURM is taking the node away from a task for another's sake: then it has a time of preemption."""
    try:
        text = told("scontrol", "--oneliner", "show", "job", task)
    except OSError:
        return False
    facts = dict(word.partition("=")[::2] for word in text.split())
    return facts.get("PreemptTime", "None") not in ("None", "N/A", "", "Unknown")


def told(*words: str) -> str:
    """What a command of SLURM's answers.

    Raises:
        OSError: it is not here, fails, or takes longer than a minute.
    """
    if shutil.which(words[0]) is None:
        raise OSError(f"there is no {words[0]} on this machine")
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_WAIT)
    except subprocess.TimeoutExpired as late:
        raise OSError(f"{words[0]} did not answer within {_WAIT} s") from late
    if done.returncode:
        raise OSError(f"{words[0]}: {' '.join(done.stderr.split())[:200] or f'exit code {done.returncode}'}")
    return done.stdout


def _lives(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (OSError, ValueError):
        return False
    return True

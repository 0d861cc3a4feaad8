"""``python -m assay.sweeps.slurm.task SWEEP BASE``: one task of a submitted array, in the process that SLURM started.

Signals have one owner. The run takes SIGTERM: it saves after the current step and stops (:mod:`assay.surroundings`).
USR2, which SLURM sends before the time limit, becomes that SIGTERM, and is remembered: afterwards the task goes back
into the queue, and goes on in the same folder. So it does where SIGTERM came because SLURM gives the node to somebody
else, and not where `assay cancel` or scancel sent it. Imports no torch before it works.
"""

from __future__ import annotations

import os
import platform
import re
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay.sweeps.course import OnError
from assay.sweeps.jobs.job import NO_ROOM, Job, into_log, work
from assay.sweeps.ledger.job_folders import metrics_of, read_summary
from assay.sweeps.ledger.ledger import Ledger
from assay.sweeps.slurm import queue

AGAIN = 144
"""Exit code that tells submitit's stand-in to run the command once more."""

PATIENCE = 30.0  # seconds for the lock of a dead node's process to be let go on a shared disk
_TRIES = "ASSAY_TRIES"


class Limit:
    """Whether the time limit has been announced."""

    def __init__(self) -> None:
        self.near = False

    def __call__(self, number: int, frame: Any) -> None:
        self.near = True
        os.kill(os.getpid(), signal.SIGTERM)


def main(words: Sequence[str]) -> int:
    """The task's exit code: as a job's (:mod:`assay.sweeps.jobs.job`), 0 where it was put back into the queue."""
    limit = Limit()
    signal.signal(signal.SIGTERM, _leave)
    if hasattr(signal, "SIGUSR2"):
        signal.signal(signal.SIGUSR2, limit)
    sweep = Path(words[0])
    number = int(words[1]) + int(os.environ.get("SLURM_ARRAY_TASK_ID", "0"))
    job = Job.from_json((queue.place(sweep) / f"{number}.json").read_text(encoding="utf-8"))
    ledger = Ledger(sweep)
    code = 128 + signal.SIGTERM
    try:
        with ledger.at_work(worker()) as name:
            if not claimed(ledger, number, name):
                return 0
            try:
                code = worked(ledger, job)
            except SystemExit:  # told to stop before the run could hear it: nothing was begun
                ledger.finish(number, "planned")
                raise
    except SystemExit:
        pass
    if code <= 128:
        from assay.review import wandb_sweep

        wandb_sweep.finish(sweep, job.config)  # by the task that ends last; any other finds points open
    return after(job, code, limit.near)


def claimed(ledger: Ledger, number: int, name: str) -> bool:
    """Whether the point is this task's now; waits for the lock of one that died with it."""
    until = time.monotonic() + PATIENCE
    while True:
        entry = ledger.entry(number)
        if ledger.claim(number, name, entry.attempts):
            return True
        if ledger.entry(number).state != "running" or time.monotonic() > until:
            print(f"point {number} is {ledger.entry(number).state}: nothing to do", file=sys.stderr)
            return False
        time.sleep(0.5)


def worked(ledger: Ledger, job: Job) -> int:
    """Trains the point and enters how it ended; the exit code."""
    into_log(job.folder)
    began = time.monotonic()
    code, reason = work(job)
    summary = read_summary(job.folder)
    seconds = round(time.monotonic() - began, 3)
    if summary.get("status") in ("done", "pruned"):  # what it says last counts
        said = str(summary.get("reason") or "")
        ledger.finish(job.number, str(summary["status"]), metrics=metrics_of(summary), reason=said, seconds=seconds)
        return 0
    if code == NO_ROOM or code > 128:
        ledger.finish(job.number, "planned", reason=reason, seconds=seconds)
        return code
    policy = OnError.of(str(job.extra["on_error"]))
    tried = int(os.environ.get(_TRIES, "0"))
    again = tried < policy.retries
    ledger.finish(job.number, "planned" if again else "failed", reason=reason, seconds=seconds)
    if again:  # in a process of its own, as every try
        os.environ[_TRIES] = str(tried + 1)
        os.execv(sys.executable, sys.orig_argv)
    if policy.stop:
        from assay.sweeps.cancel import stop_queued

        print(*stop_queued(ledger.folder, but=job.number), sep="\n", file=sys.stderr)
    return code


def after(job: Job, code: int, near: bool) -> int:
    """Back into the queue, where the task was stopped by the cluster and not by its owner."""
    if code <= 128 or (queue.place(Path(job.extra["sweep"])) / queue.CANCELLED).exists():
        return code
    local = job.extra["cluster"] == "local"
    if not near and (local or not queue.is_preempted(task())):
        return code
    if int(os.environ.get("SLURM_RESTART_COUNT", "0")) >= int(job.extra["requeue"]):
        print(
            f"reached the time limit {job.extra['requeue'] + 1} times: the same command submits it again",
            file=sys.stderr,
        )
        return code
    if local:
        return AGAIN
    try:
        queue.requeue(task())
    except OSError as error:
        print(f"not put back into the queue: {error}; the same command submits it again", file=sys.stderr)
        return code
    return 0


def task() -> str:
    """SLURM's name of this task."""
    env = os.environ
    if env.get("SLURM_ARRAY_JOB_ID"):
        return f"{env['SLURM_ARRAY_JOB_ID']}_{env['SLURM_ARRAY_TASK_ID']}"
    return env.get("SLURM_JOB_ID") or env.get("SUBMITIT_LOCAL_JOB_ID") or "0"


def worker() -> str:
    """The name by which the ledger knows this task: of its cluster's job, its machine and its process."""
    host = re.sub(r"[^A-Za-z0-9.-]", "-", platform.node()) or "here"
    return f"slurm-{task()}-{host}-{os.getpid()}"


def _leave(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

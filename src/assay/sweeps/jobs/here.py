"""Jobs one after the other in this process: for a sweep that torchrun, srun or a second machine has a part in.

There each process of the sweep is rank 0 or follows it from point to point (:mod:`assay.follow`), over connections that
belong to the process: a job cannot be one of its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from assay.composition.places import place
from assay.sweeps.jobs.executor import Ended
from assay.sweeps.jobs.job import Job, work


def is_needed(trainer: Mapping[str, Any]) -> bool:
    """Whether others were started for the runs of this trainer, and wait for this process."""
    at = place(trainer)
    return at is not None and at.port != 0


class Here:
    """Runs each job when it is asked how it ended."""

    def __init__(self) -> None:
        self.slots = 1
        self.waiting: list[Job] = []
        self.notes = ["jobs run one after the other in this process, which others follow"]

    def start(self, job: Job) -> None:
        self.waiting.append(job)

    def ended(self, timeout: float) -> list[Ended]:
        """Trains the next job, however long that takes."""
        if not self.waiting:
            return []
        job = self.waiting.pop()
        began = time.monotonic()
        code, reason = work(job)
        if code > 128:  # the signal was for the sweep, which has its handlers back
            os.kill(os.getpid(), code - 128)
        return [Ended(job.number, code, round(time.monotonic() - began, 3), reason)]

    def stop(self, hard: bool) -> None:
        """A job that runs has heard the signal itself; none other does."""

    def close(self) -> None:
        """Nothing is left."""

"""What starts the jobs of a sweep and says how each ended: the contract of warm children and plain processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from assay.sweeps.jobs.job import Job


@dataclass(frozen=True)
class Ended:
    """How a job ended.

    Attributes:
        number: of the job.
        code: its exit code (see :mod:`assay.sweeps.jobs.job`); ``-signal`` where one killed it.
        seconds: from its start to its end.
        reason: why it is not done, in a line.
    """

    number: int
    code: int
    seconds: float
    reason: str = ""


class Executor(Protocol):
    """Starts jobs, several at once.

    Attributes:
        slots: how many at once.
    """

    slots: int

    def start(self, job: Job) -> None:
        """Starts a job; its folder is its own from now on."""

    def ended(self, timeout: float) -> list[Ended]:
        """The jobs that have ended since the last call; waits for one, ``timeout`` seconds at most."""

    def stop(self, hard: bool) -> None:
        """Tells every job to save and end; ``hard``: ends them at once. :meth:`ended` says when they have."""

    def close(self) -> None:
        """Ends what is still there, and waits for it."""

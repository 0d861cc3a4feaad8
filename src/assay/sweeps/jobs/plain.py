"""One plain process for each job: where a fork is unsafe. GPUs (CUDA survives none), DDP, and systems without."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from assay.sweeps.jobs.executor import Ended
from assay.sweeps.jobs.job import Job

POLL = 0.1  # seconds between two looks at processes that have not closed their pipes
GRACE = 10.0  # seconds for what was told to end at once


@dataclass
class _Running:
    process: subprocess.Popen[bytes]
    began: float
    said: bytes = b""


class Plain:
    """Starts ``python -m assay.sweeps.jobs.job`` for each job.

    Args:
        slots: how many at once.
        paths: where Python looks first: the sweep's snapshot of the source.
    """

    def __init__(self, slots: int, paths: Sequence[Path] = ()) -> None:
        self.slots = slots
        self.paths = paths
        self.running: dict[int, _Running] = {}

    def start(self, job: Job) -> None:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "assay.sweeps.jobs.job"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(self.paths),
            start_new_session=True,  # Ctrl-C of the terminal is for the sweep, which decides
        )
        assert process.stdin is not None
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        with suppress(OSError):  # it is dead already, which its exit code will tell
            process.stdin.write(job.to_json().encode() + b"\n")
            process.stdin.flush()
        self.running[job.number] = _Running(process, time.monotonic())

    def files(self) -> list[int]:
        """What can be waited for: each is readable when its process has ended."""
        return [one.process.stdout.fileno() for one in self.running.values() if one.process.stdout is not None]

    def ended(self, timeout: float) -> list[Ended]:
        deadline = time.monotonic() + timeout
        while True:
            found = self.collect()
            left = deadline - time.monotonic()
            if found or left <= 0 or not self.running:
                return found
            select.select(self.files(), [], [], min(left, POLL))

    def collect(self) -> list[Ended]:
        """Those that have ended by now."""
        return [ended for number in list(self.running) if (ended := self._ended(number)) is not None]

    def _ended(self, number: int) -> Ended | None:
        one = self.running[number]
        assert one.process.stdin is not None
        assert one.process.stdout is not None
        got = one.process.stdout.read()
        one.said += got or b""
        if got == b"":  # it has closed the pipe: its end is near
            with suppress(subprocess.TimeoutExpired):
                one.process.wait(POLL)
        code = one.process.poll()
        if code is None:
            return None
        del self.running[number]
        one.said += one.process.stdout.read() or b""
        for pipe in (one.process.stdin, one.process.stdout):
            with suppress(OSError):
                pipe.close()
        try:
            reason = str(json.loads(one.said or b"{}").get("reason", ""))
        except ValueError:
            reason = ""
        return Ended(number, code, round(time.monotonic() - one.began, 3), reason)

    def stop(self, hard: bool) -> None:
        for one in self.running.values():
            with suppress(ProcessLookupError):
                if hard:
                    os.killpg(one.process.pid, signal.SIGKILL)
                else:
                    one.process.terminate()

    def close(self) -> None:
        self.stop(hard=True)
        deadline = time.monotonic() + GRACE
        while self.running and time.monotonic() < deadline:
            self.ended(GRACE)


def environment(paths: Sequence[Path]) -> dict[str, str]:
    """The environment of a process that finds the same modules as this one, ours in these places first."""
    found = [str(path) for path in paths] + [path or os.getcwd() for path in sys.path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(found))}

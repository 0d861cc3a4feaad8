"""Jobs as children of a warm parent (:mod:`assay.sweeps.jobs.warm_server`); those that may not be forked, as processes.

A fork is safe from a process of one thread that holds no accelerator, for a run on the CPU that starts no other
processes: GPUs and DDP go another way, and so does every job where the warm parent could not be had; it is said.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from assay.sweeps.jobs.executor import Ended
from assay.sweeps.jobs.job import LOST, Job
from assay.sweeps.jobs.leases import alone
from assay.sweeps.jobs.plain import GRACE, POLL, Plain, environment

PATIENCE = 2  # deaths of the warm parent without a job that ended in between


class Warm:
    """Forks each job from one process that has imported everything.

    Args:
        slots: how many at once.
        paths: where Python looks first: the sweep's snapshot of the source.
        place: a folder for what the warm parent prints.
    """

    def __init__(self, slots: int, paths: Sequence[Path], place: Path) -> None:
        self.slots = slots
        self.paths = paths
        self.place = place
        self.plain = Plain(slots, paths)
        self.notes: list[str] = []
        """What the user should hear of it, a line each; to be emptied by who has said it."""
        self.running: dict[int, float] = {}  # forked ones, and when each began
        self.server: subprocess.Popen[bytes] | None = None
        self.rest = b""
        self.deaths = 0
        self.refused = "" if sys.platform == "linux" else f"forking is not safe on {sys.platform}"

    def start(self, job: Job) -> None:
        if not self.refused and alone(job.config["trainer"]):
            if self.server is None:
                self._launch(job)
            if self._tell({"start": json.loads(job.to_json())}):
                self.running[job.number] = time.monotonic()
                return
        self._say_why(job)
        self.plain.start(job)

    def _say_why(self, job: Job) -> None:
        reason = self.refused or "a GPU or several processes do not survive a fork"
        line = f"jobs start as plain processes, which takes seconds each: {reason}"
        if line not in self.notes:
            self.notes.append(line)

    def _launch(self, job: Job) -> None:
        """Starts the warm parent, which begins to import what this job names."""
        self.server = launch(self.paths, self.place)
        self.rest = b""
        self._tell({"import": sorted(set(targets(job.config)))})

    def _tell(self, command: Mapping[str, Any]) -> bool:
        """Whether the warm parent could be told."""
        if self.server is None or self.server.stdin is None:
            return False
        try:
            self.server.stdin.write((json.dumps(command) + "\n").encode())
            self.server.stdin.flush()
        except OSError:
            return False
        return True

    def ended(self, timeout: float) -> list[Ended]:
        deadline = time.monotonic() + timeout
        while True:
            found = [*self.plain.collect(), *self._heard()]
            left = deadline - time.monotonic()
            if found or left <= 0:
                return found
            files = self.plain.files()
            if self.server is not None and self.server.stdout is not None:
                files.append(self.server.stdout.fileno())
            select.select(files, [], [], min(left, POLL) if self.plain.running else left)

    def _heard(self) -> list[Ended]:
        """What the warm parent has said, without waiting for it."""
        if self.server is None or self.server.stdout is None:
            return []
        file = self.server.stdout.fileno()
        found: list[Ended] = []
        while select.select([file], [], [], 0)[0]:
            got = os.read(file, 1 << 16)
            if not got:
                return [*found, *self._died()]
            *lines, self.rest = (self.rest + got).split(b"\n")
            for line in lines:
                found.extend(self._answer(json.loads(line)))
        return found

    def _answer(self, answer: Mapping[str, Any]) -> Iterator[Ended]:
        if "ended" in answer:
            self.deaths = 0
            number = int(answer["ended"])
            self.running.pop(number, None)
            yield Ended(number, int(answer["code"]), float(answer["seconds"]), str(answer["reason"]))
        elif int(answer.get("threads", 1)) > 1:
            self.refused = f"the warm parent has {answer['threads']} threads"

    def _died(self) -> list[Ended]:
        """The warm parent has gone; its children have heard of it too, and save and stop."""
        assert self.server is not None
        code = self.server.wait()
        self._forget()
        self.deaths += 1
        if self.deaths >= PATIENCE:
            self.refused = f"the warm parent died twice (exit code {code}; {self.place / 'server.txt'} may say why)"
        now = time.monotonic()
        lost = [
            Ended(number, LOST, round(now - began, 3), "its parent process died")
            for number, began in self.running.items()
        ]
        self.running.clear()
        return lost

    def _forget(self) -> None:
        server, self.server = self.server, None
        for pipe in (server.stdin, server.stdout) if server is not None else ():
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def stop(self, hard: bool) -> None:
        self.plain.stop(hard)
        self._tell({"stop": "hard" if hard else "soft"})

    def close(self) -> None:
        self.plain.close()
        if self.server is None:
            return
        if self.running:
            self._tell({"stop": "hard"})
        server = self.server
        if server.stdin is not None:
            with suppress(OSError):
                server.stdin.close()
        try:
            server.wait(GRACE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        self._forget()
        self.running.clear()


def launch(paths: Sequence[Path], place: Path) -> subprocess.Popen[bytes]:
    """The process of the warm parent; what it prints goes to ``server.txt``."""
    place.mkdir(parents=True, exist_ok=True)
    with open(place / "server.txt", "ab") as file:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "assay.sweeps.jobs.warm_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            env=environment(paths),
            start_new_session=True,  # Ctrl-C of the terminal is for the sweep, which decides
        )


def targets(node: Any) -> Iterator[str]:
    """Every ``_target_`` of a config."""
    if isinstance(node, Mapping):
        if isinstance(name := node.get("_target_"), str):
            yield name
        for part in node.values():
            yield from targets(part)
    elif isinstance(node, list | tuple):
        for part in node:
            yield from targets(part)

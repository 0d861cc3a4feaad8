"""Sweeps for the tests: of digits, by a course that was not started by a command, its warm parent forked from here.

The processes are forked from the test, which has imported everything and computes with one thread, so that a sweep of
some runs takes seconds; ``test_warm.py`` starts the warm parent as users do.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from assay import closing, preflight
from assay.sweeps import course
from assay.sweeps.jobs import warm, warm_server
from assay.sweeps.ledger.ledger import Entry, Ledger, Planned
from assay.sweeps.live import Live
from assay.sweeps.strategy import Grid

SHORT = ["model=linear", "trainer=cpu", "trainer.max_epochs=2", "logger=none", "checkpoint.every=20steps"]


class Forked:
    """What subprocess.Popen is of a process that is forked from this one."""

    def __init__(self, serve: Callable[[int, int], int], log: Path) -> None:
        told, tells = os.pipe()
        hears, says = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                os.setsid()
                os.close(tells)
                os.close(hears)
                speak_into(log)
                for number in warm_server.STOPS:
                    signal.signal(number, signal.SIG_IGN)
                code = serve(told, says)
            finally:
                os._exit(code)
        os.close(told)
        os.close(says)
        self.stdin, self.stdout = os.fdopen(tells, "wb"), os.fdopen(hears, "rb", buffering=0)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self.wait() if self.returncode is None and os.waitid(os.P_PID, self.pid, _LOOK) else self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


_LOOK = os.WEXITED | os.WNOHANG | os.WNOWAIT


def speak_into(log: Path) -> None:
    """What this process says goes to a file from now on."""
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(io.FileIO(number, "w", closefd=False), line_buffering=True) for number in (1, 2)
    )


def forked(paths: Sequence[Path], place: Path) -> Forked:
    """In place of :func:`assay.sweeps.jobs.warm.launch`."""

    def serve(told: int, says: int) -> int:
        closing.figures.write = lambda *told: None  # half of the time of so short a run
        return warm_server.Server(told, says).serve()

    place.mkdir(parents=True, exist_ok=True)
    return Forked(serve, place / "server.txt")


def planned(outputs: Path, common: Sequence[str] = (), **axes: Sequence[Any]) -> list[Planned]:
    """The product of axes (``__`` for a dot), the last one changing fastest."""
    keys = [key.replace("__", ".") for key in axes]
    found = []
    for values in itertools.product(*axes.values()):
        cell = {key: str(value) for key, value in zip(keys, values, strict=True)}
        words = [*SHORT, *common, f"outputs={outputs}", *(f"{key}={value}" for key, value in cell.items())]
        point = preflight.compose(words)
        seed = int(cell.pop("seed", 0))
        config = {key: value for key, value in point.config.items() if key not in ("sweep", "search", "launcher")}
        found.append(Planned(config, point.overrides, cell, seed))
    return found


def go(folder: Path, points: Sequence[Planned], live: Live | None = None, **orders: Any) -> int:
    """Runs a sweep of these points in this process; its exit code."""
    folder.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(folder)
    known = {(one.overrides, one.seed): one.config for one in points}

    def config_of(entry: Entry) -> dict[str, Any]:
        return known[entry.overrides, entry.seed]

    told = course.Orders(points[0].config, config_of, command=["train.py", "-m"], **orders)
    return course.run(ledger, Grid(points), told, live)


def parent(folder: Path, points: Sequence[Planned], **orders: Any) -> int:
    """The same in a process of its own, forked; its id."""
    folder.mkdir(parents=True, exist_ok=True)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setsid()
            speak_into(folder / "screen.txt")
            warm.launch = forked  # type: ignore[assignment]
            code = go(folder, points, **orders)
            sys.stdout.flush()
        except BaseException as error:
            traceback.print_exception(error)
        finally:
            os._exit(code)
    return pid


def ended(pid: int) -> int:
    """Waits for a process; its exit code."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def standing(folder: Path) -> list[dict[str, Any]]:
    """The ledger apart from attempts, times and places."""
    return [
        {
            "number": one.number,
            "digest": one.digest,
            "cell": one.cell,
            "seed": one.seed,
            "state": one.state,
            "metrics": one.metrics,
        }
        for one in Ledger(folder).entries()
    ]


def results(folder: Path) -> dict[str, Any]:
    """What every finished run of a sweep leaves that must not depend on how often it was interrupted."""
    found = {}
    for entry in Ledger(folder).entries():
        if entry.state == "done":
            summary = json.loads((entry.folder / "summary.json").read_text())
            scores = {key: value for key, value in summary.items() if "/" in key or key in ("steps", "best_epoch")}
            files = {
                name: (entry.folder / name).read_bytes()
                for name in ("metrics.csv", "predictions/test.csv", "artifact/weights.safetensors")
            }
            found[entry.number] = scores, files
    return found

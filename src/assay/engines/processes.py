"""The processes of one run: starting those of this machine, telling them what to train, and noticing a death.

Rank 0 is the process that the user started. The others are ``python -m assay.follow``, or were started by torchrun or
srun: what they train comes from rank 0 as a resolved config, never from a command line, so that a sweep's point is the
same point in every process. One that was started here has a pipe to its starter, which breaks however that one ends;
what it prints goes to a file of the run folder, which stays only if the process died.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from assay.composition.places import Place
from assay.data.share import Part
from assay.engines.ranks import Ranks

MEETING = timedelta(minutes=10)
"""For all processes to have started."""
GRACE = 5.0
"""Seconds that a process has to end by itself, once another has died or the run is over."""

_meetings: dict[Place, tuple[dist.TCPStore, int]] = {}  # where others started the processes: the store, the runs so far


def meet(place: Place, run: int | None = None) -> tuple[dist.Store, int, int]:
    """The store of this run, at which its processes find each other, the port where it is to be found, and which run of
    the command this is (``run`` where that is known).

    Processes that were started from outside have one for all runs of their command, the points of a sweep.
    """
    hosts = place.rank == 0 and place.hosts

    def connect() -> dist.TCPStore:
        return dist.TCPStore(place.address, place.port, None, hosts, MEETING, wait_for_workers=False)

    if place.port == 0:
        store = connect()
        return dist.PrefixStore("run 0", store), store.port, 0
    if place not in _meetings:
        _meetings[place] = connect(), 0
        if place.rank == 0:
            atexit.register(_say_end, _meetings[place][0])
    store, next_run = _meetings[place]
    run = next_run if run is None else run
    _meetings[place] = store, run + 1
    return dist.PrefixStore(f"run {run}", store), place.port, run


def _say_end(store: dist.TCPStore) -> None:
    with suppress(RuntimeError):
        store.set("end", "")


class Company:
    """Rank 0's view of the other processes of a run.

    Args:
        place: of this process.
        where: the run folder, for what they print.
    """

    def __init__(self, place: Place, where: Path) -> None:
        self.place = place
        self.where = where
        self.store, port, run = meet(place)
        self.children = start(place, port, run, where) if place.starts else {}
        self._ending = False
        self._dead: int | None = None
        for rank in self.children:
            threading.Thread(target=self._watch, args=(rank,), daemon=True).start()

    def _watch(self, rank: int) -> None:
        """Waits for the end of one process. If it comes early, rank 0 hears of it in the next collective; where it does
        not (NCCL may wait for ever), it is ended too: there is no other way out of a call that waits for the dead."""
        code = self.children[rank].wait()
        if self._ending or code == 0 or self._dead is not None:
            return
        self._dead = rank
        time.sleep(GRACE)
        if not self._ending and torch.cuda.is_initialized():
            print(self.lost(0.0), file=sys.stderr, flush=True)
            self.end(kill=True)
            os._exit(1)

    def lost(self, wait: float) -> str | None:
        """``process 1 of 2 was killed (SIGKILL)``, or what it said last; None if all live. A connection may break
        before its process has quite ended, hence the ``wait`` in seconds."""
        deadline = time.monotonic() + wait
        while self._dead is None and time.monotonic() < deadline:
            time.sleep(0.02)
        for rank in range(1, self.place.world) if self._dead is None else ():
            if self.store.check([f"dead/{rank}"]):  # of another machine, or started from outside
                return f"process {rank} of {self.place.world} ended: {self.store.get(f'dead/{rank}').decode()}"
        if self._dead is None:
            return None
        code = self.children[self._dead].returncode
        name = f"process {self._dead} of {self.place.world}"
        if code < 0:
            return f"{name} was killed ({signal.Signals(-code).name})"
        said = _last_line(output(self.where, self._dead))
        return f"{name} ended with exit code {code}" + (f": {said}" if said else "")

    def end(self, kill: bool) -> None:
        """Ends the others: at once, or when they are done."""
        self._ending = True
        with suppress(RuntimeError):
            self.store.set("over", "")
        deadline = time.monotonic() + GRACE
        for rank, child in self.children.items():
            with suppress(subprocess.TimeoutExpired):
                if not kill:
                    child.wait(max(0.0, deadline - time.monotonic()))
            child.kill()
            child.wait()
            if child.stdin is not None:
                with suppress(OSError):
                    child.stdin.close()
            if rank != self._dead:
                output(self.where, rank).unlink(missing_ok=True)


def start(place: Place, port: int, run: int, where: Path) -> dict[int, subprocess.Popen[bytes]]:
    """The other processes of this machine. Each in a session of its own: a terminal's Ctrl-C is for rank 0, which
    decides what becomes of it."""
    children = {}
    for number in range(1, place.here):
        rank = place.rank + number
        words = [str(word) for word in (rank, number, place.world, place.here, place.address, port, run)]
        with open(output(where, rank), "wb") as file:
            children[rank] = subprocess.Popen(
                [sys.executable, "-m", "assay.follow", *words],
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
    return children


def output(where: Path, rank: int) -> Path:
    return where / f"process-{rank}.txt"


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def device_of(trainer: Mapping[str, Any], place: Place) -> torch.device:
    """Where a process of such a trainer computes."""
    if trainer.get("accelerator") == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", place.local_rank)


@contextmanager
def company(place: Place | None, where: Path, point: Mapping[str, Any]) -> Generator[Ranks | None]:
    """The processes of a run, for rank 0: started, told what to train, and ended with the block. None for one alone.

    Raises:
        Lost: one of them died, and nothing in the block said so.
    """
    if place is None:
        yield None
        return
    others = Company(place, where)
    trainer = point["config"]["trainer"]
    sharded = trainer["strategy"] == "fsdp"
    ranks = Ranks(Part(0, place.world), others.store, device_of(trainer, place), sharded, others.lost)
    kill = True
    try:
        others.store.set("point", json.dumps(point))
        yield ranks
        kill = False
    finally:
        others.end(kill)
        ranks.close()


# in the others


def end_with(place: Place, pipe: bool) -> None:
    """Ends this process when its starter does (``pipe``), or else when the store is gone. From a thread: the main one
    may be waiting for the dead."""

    def watch_pipe() -> None:
        with suppress(OSError):
            while os.read(0, 1):  # not sys.stdin, which would be locked when the interpreter ends
                pass
        os._exit(1)

    def watch_store() -> None:
        with suppress(RuntimeError):
            own = dist.TCPStore(place.address, place.port, None, False, MEETING, wait_for_workers=False)
            while not own.check(["end"]):
                time.sleep(0.5)
        time.sleep(GRACE)
        os._exit(1)

    threading.Thread(target=watch_pipe if pipe else watch_store, daemon=True).start()


def next_point(place: Place, store: dist.Store) -> dict[str, Any] | None:
    """What rank 0 trains next; None where its command has ended."""
    ended = _meetings[place][0] if place in _meetings else None
    try:
        while not store.check(["point"]):
            if ended is not None and ended.check(["end"]):
                return None
            time.sleep(0.05)
        return json.loads(store.get("point"))
    except RuntimeError:  # the store has gone with rank 0
        return None

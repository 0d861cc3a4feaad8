"""``assay cancel SWEEP``: whoever runs a sweep saves and stops; what waits in SLURM's queue leaves it.

Nothing is lost: the same command goes on with what was stopped.
"""

from __future__ import annotations

import os
import platform
import re
import signal
import sys
import time
from pathlib import Path

from assay.folder import is_running
from assay.screens import pasted, shown
from assay.sweeps.ledger.ledger import Ledger
from assay.sweeps.ledger.place import find_sweep
from assay.sweeps.slurm import queue

WAIT = 120.0  # seconds that runs are given to save
_HOLDER = re.compile(r"process (\d+) of (\S+)")


def cancel_command(sweep: str, outputs: str = "outputs", wait: float = WAIT) -> int:
    """Tells every worker of the sweep to stop, and waits until those of this machine have.

    Returns:
        0; 1 where a worker could not be told, or has not stopped in time.
    Raises:
        ConfigError: there is no such sweep.
    """
    ledger = Ledger(find_sweep(sweep, outputs))
    said = stop_queued(ledger.folder)
    here, elsewhere = stop_workers(ledger)
    for line in said:
        print(line)
    for name, holder in elsewhere:
        print(f"{name} works on another machine ({holder}): stop it there, with Ctrl-C")
    if here:
        print(f"{_counted(len(here), 'process', 'es')} of this machine told to save and stop", flush=True)
    late = _wait(ledger, here, wait)
    for name in late:
        print(f"{name} has not stopped within {wait:g} s", file=sys.stderr)
    if not (said or here or elsewhere):
        print(f"nobody is at work on {shown(ledger.folder)}")
        return 0
    counts = [entry.state for entry in ledger.entries()]
    print(f"{counts.count('done')} of {len(counts)} done; the same command goes on")
    print(f"Next:\n  assay status {pasted(shown(ledger.folder))}")
    return int(bool(elsewhere or late))


def stop_queued(sweep: Path, but: int | None = None) -> list[str]:
    """Takes the sweep's tasks out of SLURM's queue and tells those that run to save, ``but`` that of one point; what
    was done, in words."""
    if not queue.batches(sweep):
        return []
    (queue.place(sweep) / queue.CANCELLED).touch()  # first: who is stopped now must not queue again
    try:
        held = list(queue.queued(sweep).values())
        tasks = [one for one in held if "_" in one.task and one.number != but]
        queue.cancel(tasks)
    except OSError as error:
        return [f"SLURM was not told: {error}"]
    waiting = sum(one.waits for one in tasks)
    lines = [f"{_counted(waiting, 'point')} taken out of SLURM's queue"] if waiting else []
    running = len(tasks) - waiting
    return lines + ([f"{_counted(running, 'point')} on SLURM told to save and stop"] if running else [])


def stop_workers(ledger: Ledger) -> tuple[list[str], list[tuple[str, str]]]:
    """SIGTERM to the workers of this machine, which lets their jobs save; (those told, (name, holder) of others).

    Tasks of SLURM's are told by SLURM (:func:`stop_queued`), but for those of submitit's stand-in, which are ours.
    """
    here, elsewhere = [], []
    local = {one.job for one in queue.batches(ledger.folder) if one.cluster == "local"}
    for name in ledger.workers():
        if name.startswith("slurm-") and name.split("-")[1] not in local:
            continue
        holder = _holder(ledger.folder / "workers" / name)
        if holder is None or holder[1] != platform.node():
            elsewhere.append((name, "unknown" if holder is None else holder[1]))
            continue
        try:
            os.kill(holder[0], signal.SIGTERM)
            here.append(name)
        except ProcessLookupError:
            continue
        except PermissionError:
            elsewhere.append((name, "another user's"))
    return here, elsewhere


def _holder(place: Path) -> tuple[int, str] | None:
    """(process, machine) of a worker, as its lock names it."""
    try:
        found = _HOLDER.search((place / ".lock").read_text(encoding="utf-8"))
    except OSError:
        return None
    return (int(found[1]), found[2]) if found else None


def _wait(ledger: Ledger, names: list[str], seconds: float) -> list[str]:
    """Those that still live after so long."""
    until = time.monotonic() + seconds
    left = list(names)
    while left and time.monotonic() < until:
        left = [name for name in left if is_running(ledger.folder / "workers" / name)]
        if left:
            time.sleep(0.2)
    return left


def _counted(number: int, what: str, many: str = "s") -> str:
    return f"{number} {what}{many if number != 1 else ''}"

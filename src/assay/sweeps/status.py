"""``assay status SWEEP``: how a sweep stands, wherever it runs: by its ledger, its job folders, and SLURM's queue."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from assay.callbacks.progress import duration
from assay.lifecycle import table
from assay.lifecycle.table import Column
from assay.screens import shown
from assay.sweeps.ledger.ledger import Entry, Ledger
from assay.sweeps.slurm import queue
from assay.sweeps.slurm.queue import Queued
from assay.sweeps.standing import cell_label, progress

FAILURES = 20  # reasons shown


def status_command(sweep: str, outputs: str = "outputs") -> int:
    """Prints it.

    Returns:
        0; 1 where a point has failed.
    Raises:
        ConfigError: there is no such sweep.
    """
    from assay.sweeps.ledger.place import find_sweep

    ledger = Ledger(find_sweep(sweep, outputs))
    entries = ledger.entries()
    for line in lines(ledger, entries):
        print(line)
    return int(any(entry.state == "failed" for entry in entries))


def lines(ledger: Ledger, entries: Sequence[Entry]) -> list[str]:
    """Counts, what runs where and how far, what waits, what failed and why, the remaining time."""
    held, unknown = _held(ledger.folder)
    at_it = {entry.number for entry in entries if ledger.at_it(entry)}
    states = {entry.number: _state(entry, at_it, held) for entry in entries}
    counts = Counter(states.values())
    order = ("done", "pruned", "running", "queued", "failed", "stopped", "planned")
    told = [f"{counts[state]} {state}" for state in order if counts[state]]
    made = [f"{shown(ledger.folder)}: {len(entries)} runs · {' · '.join(told) or 'none planned'}"]
    running = [entry for entry in entries if states[entry.number] == "running"]
    made += _running(running, held)
    made += _waiting(held)
    failed = [entry for entry in entries if states[entry.number] == "failed"]
    made += [f"{label(entry)} failed: {entry.reason}" for entry in failed[:FAILURES]]
    made += [f"{len(failed) - FAILURES} more failed"] if len(failed) > FAILURES else []
    made += [unknown] if unknown else []
    open_ = [entry for entry in entries if states[entry.number] in ("running", "queued", "stopped", "planned")]
    if running and (left := remaining(entries, open_, len(running))) is not None:
        made.append(f"about {duration(left)} to go, {len(running)} at once")
    elif open_ and not running and not counts["queued"]:
        made.append("nobody is at it: the same command goes on")
    return made


def _held(sweep: Path) -> tuple[dict[int, Queued], str]:
    """What the queue holds, or a line why that is not known."""
    try:
        return queue.queued(sweep), ""
    except OSError as error:
        return {}, f"what SLURM's queue holds is not known: {error}"


def _state(entry: Entry, at_it: set[int], held: Mapping[int, Queued]) -> str:
    """The ledger's word, but: of a dead worker's run stopped, of what waits in a queue queued."""
    if entry.state == "running" and entry.number not in at_it:
        return "queued" if entry.number in held else "stopped"
    if entry.state == "planned" and entry.number in held:
        return "queued"
    if entry.state == "planned" and entry.attempts:
        return "stopped"
    return entry.state


def _running(entries: Sequence[Entry], held: Mapping[int, Queued]) -> list[str]:
    if not entries:
        return []
    where = [held[one.number].node if one.number in held and held[one.number].node else host(one) for one in entries]
    columns = [
        Column("run", [label(one) for one in entries]),
        Column("for", [duration(_since(one)) for one in entries], rank=2),
        Column("where", where, rank=1),
        Column("progress", [progress(one.folder) for one in entries], rank=3),
    ]
    kept, _ = table.fitted(columns, table.terminal_width())
    return list(table.lines(kept))


def _waiting(held: Mapping[int, Queued]) -> list[str]:
    reasons = Counter(one.reason or one.state.lower() for one in held.values() if one.waits)
    told = ", ".join(f"{number} for {reason}" for reason, number in reasons.most_common())
    return [f"in SLURM's queue: {told}"] if told else []


def label(entry: Entry) -> str:
    """A point as a user knows it."""
    repeat = [f"seed={entry.seed}"] + ([f"fold={entry.fold}"] if entry.fold is not None else [])
    return " ".join([str(entry.number), *[word for word in (cell_label(entry),) if word], *repeat])


def host(entry: Entry) -> str:
    """The machine of the process that runs a point, as its lock names it."""
    try:
        text = (entry.folder / ".lock").read_text(encoding="utf-8").strip()
    except OSError:
        text = ""
    return text.partition(" of ")[2] or entry.worker


def _since(entry: Entry) -> float:
    """Seconds since this attempt began: when the run took its folder."""
    try:
        return max(time.time() - (entry.folder / ".lock").stat().st_mtime, 0.0)
    except OSError:
        return 0.0


def remaining(entries: Sequence[Entry], open_: Sequence[Entry], slots: int) -> float | None:
    """Seconds to go, from the mean of the runs that are done; None before one is."""
    done = [entry.seconds for entry in entries if entry.state in ("done", "pruned") and entry.seconds > 0]
    if not done or not open_:
        return None
    mean = fmean(done)
    begun = sum(min(_since(entry), mean) for entry in open_ if entry.state == "running")
    return max(len(open_) * mean - begun, 0.0) / max(slots, 1)

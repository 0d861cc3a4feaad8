"""The ledger of a sweep: every point, what became of it, and who is at it. Imports no torch.

``ledger.jsonl`` holds three kinds of lines: ``planned`` (what a point is), ``claimed`` (a worker began), ``ended``
(how). The state of a point is what its last lines say; nothing is ever rewritten (:mod:`assay.sweeps.ledger.journal`).
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from assay.folder import held, is_running, write_json
from assay.sweeps.ledger.identity import identity
from assay.sweeps.ledger.job_folders import KEPT, POINT, ended, found_done, job_folders, recovered
from assay.sweeps.ledger.job_folders import metrics_of as metrics_of
from assay.sweeps.ledger.job_folders import read_summary as read_summary
from assay.sweeps.ledger.journal import Journal

STATES = ("planned", "running", "done", "failed", "pruned")
JOURNAL = "ledger.jsonl"


@dataclass(frozen=True)
class Planned:
    """A point that is to be run.

    Attributes:
        config: plain, resolved and checked, as a run gets it.
        overrides: what gives this config again.
        cell: axis -> value as typed, without seed and fold.
        role: ``point`` of the sweep, ``tune`` of a cell, ``trial`` of a search.
    """

    config: dict[str, Any]
    overrides: tuple[str, ...]
    cell: dict[str, str]
    seed: int
    fold: int | None = None
    role: str = "point"


@dataclass(frozen=True)
class Entry:
    """What the ledger knows of a point, at the time of asking.

    Attributes:
        digest: :func:`assay.sweeps.identity.identity` of its config.
        state: one of :data:`STATES`; running also where the worker has died since.
        attempts: how often a worker began.
        metrics: by the names of summary.json.
        reason: why it failed.
        seconds: of the last attempt that ended.
        worker: who began last.
    """

    number: int
    digest: str
    overrides: tuple[str, ...]
    cell: dict[str, str]
    seed: int
    fold: int | None
    role: str
    state: str
    folder: Path
    attempts: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    seconds: float = 0.0
    worker: str = ""


class Ledger:
    """The ledger in a sweep's folder. Objects of several processes, and threads, may share one.

    Attributes:
        folder: of the sweep.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._entries: dict[int, Entry] = {}
        self._digests: dict[str, int] = {}
        self.journal = Journal(self.folder / JOURNAL, self._take, self._forget)

    def entries(self) -> list[Entry]:
        """All points, by number."""
        with self.journal.guard():
            self.journal.read()
            return [self._entries[number] for number in sorted(self._entries)]

    def entry(self, number: int) -> Entry:
        """One point.

        Raises:
            KeyError: there is none of this number.
        """
        with self.journal.guard():
            self.journal.read()
            return self._entries[number]

    def plan(self, points: Sequence[Planned]) -> list[Entry]:
        """The entries of these points: new ones get the lowest free numbers, in order; one that is known (by its
        digest) is returned as it is, with the axes added that it is found by now.

        Raises:
            OSError: the disk is full; nothing was planned.
        """
        with self.journal.appending() as append:
            lines, numbers = [], []
            known, free = dict(self._digests), self._free()
            for point in points:
                digest = identity(point.config)
                if digest not in known:
                    known[digest] = next(free)
                    facts = (digest, list(point.overrides), point.cell, point.seed, point.fold, point.role)
                    lines.append(_planned(known[digest], *facts))
                elif (old := self._entries.get(known[digest])) and (
                    point.cell.items() - old.cell.items() or (point.role == "point" and old.role == "tune")
                ):  # a trial of the value that was chosen is its seed's run as well
                    cell, role = old.cell | point.cell, "point" if point.role == "point" else old.role
                    lines.append(_planned(old.number, digest, list(old.overrides), cell, old.seed, old.fold, role))
                numbers.append(known[digest])
            append(lines)
            return [self._entries[number] for number in numbers]

    def claim(self, number: int, worker: str, attempts: int | None = None) -> bool:
        """Begins a point, if it is planned, has failed, or was being run by a worker that has died. Of several that
        try, one wins. Its folder is made.

        A point whose folder says that it is done (its worker died between the end of the run and the ledger) is
        entered as that and not begun again; nor is one whose process still lives.

        Args:
            worker: as :meth:`at_work` names it.
            attempts: begins only if nobody began since the entry was read that had this many.
        Raises:
            OSError: the disk is full; the point was not begun.
        """
        with self.journal.appending() as append:
            entry = self._entries[number]
            if attempts is not None and entry.attempts != attempts:
                return False
            if entry.state in ("done", "pruned") or self.at_it(entry):
                return False
            if entry.attempts and (found := found_done(entry.folder, number)):
                append([found])
                return False
            entry.folder.mkdir(exist_ok=True)
            if not (entry.folder / POINT).exists():
                write_json(entry.folder / POINT, {key: getattr(entry, key) for key in KEPT})
            append([{"event": "claimed", "number": number, "worker": worker, "time": round(time.time(), 3)}])
            return True

    def finish(
        self,
        number: int,
        state: str,
        *,
        metrics: Mapping[str, float] | None = None,
        reason: str = "",
        seconds: float = 0.0,
    ) -> Entry:
        """How a point ended: done, failed, pruned; planned gives it back, to go on from its checkpoint another time.
        What is done stays so.

        Raises:
            OSError: the disk is full; the point counts as running still, by a worker that will have died.
        """
        assert state in ("planned", "done", "failed", "pruned"), state
        with self.journal.appending() as append:
            if self._entries[number].state != "done":
                append([ended(number, state, metrics or {}, reason, seconds)])
            return self._entries[number]

    def at_it(self, entry: Entry) -> bool:
        """Whether somebody runs this point now: its worker lives, or its own process, which may outlive that."""
        if entry.state != "running":
            return False
        return is_running(self.folder / "workers" / (entry.worker or "-")) or is_running(entry.folder)

    @contextmanager
    def at_work(self, worker: str = "") -> Generator[str]:
        """The name of this worker, which counts as alive until the block, or the process, ends: ``workers/<name>``.

        Raises:
            ConfigError: another process has this name.
        """
        name = worker or f"{platform.node() or 'here'}-{os.getpid()}"
        place = self.folder / "workers" / name
        place.mkdir(parents=True, exist_ok=True)
        with held(place):
            yield name

    def workers(self) -> list[str]:
        """Who is at work on this sweep now."""
        place = self.folder / "workers"
        return sorted(one.name for one in place.iterdir() if is_running(one)) if place.is_dir() else []

    def reconcile(self) -> list[Entry]:
        """Enters what job folders tell and the ledger missed: points that ended as their worker died, or that were
        finished by hand (``assay resume``). Those."""
        with self.journal.appending() as append:
            waiting = [one for one in self._entries.values() if one.attempts and one.state not in ("done", "pruned")]
            found = [found_done(one.folder, one.number) for one in waiting if not self.at_it(one)]
            lines = [line for line in found if line]
            append(lines)
            return [self._entries[line["number"]] for line in lines]

    def rebuild(self) -> list[Entry]:
        """Enters the points of job folders that the ledger does not know, from what lies in them. Those.

        Of a whole ledger this is a listing of the folder and no more, so it is done at every start.
        """
        with self.journal.appending() as append:
            lost = {int(place.name): place for place in job_folders(self.folder)}
            lost = {number: lost[number] for number in sorted(lost) if number not in self._entries}
            lines = [line for number, place in lost.items() for line in recovered(place, number)]
            append(lines)
            return [self._entries[number] for number in lost if number in self._entries]

    def _free(self) -> Iterator[int]:
        taken = {*self._entries, *(int(place.name) for place in job_folders(self.folder))}
        number = 0
        while True:
            if number not in taken:
                yield number
            number += 1

    def _forget(self) -> None:
        self._entries, self._digests = {}, {}

    def _take(self, line: Mapping[str, Any]) -> None:
        number = int(line["number"])
        match line["event"]:
            case "planned":
                self._take_planned(number, line)
            case "claimed":
                old = self._entries[number]
                self._entries[number] = replace(
                    old, state="running", worker=str(line["worker"]), attempts=old.attempts + 1, reason=""
                )
            case "ended":
                self._entries[number] = replace(
                    self._entries[number],
                    state=str(line["state"]),
                    metrics={str(key): float(value) for key, value in line["metrics"].items()},
                    reason=str(line["reason"]),
                    seconds=float(line["seconds"]),
                )
            case event:
                raise ValueError(event)

    def _take_planned(self, number: int, line: Mapping[str, Any]) -> None:
        fold = line["fold"]
        facts: dict[str, Any] = {
            "digest": str(line["digest"]),
            "overrides": tuple(str(one) for one in line["overrides"]),
            "cell": {str(key): str(value) for key, value in line["cell"].items()},
            "seed": int(line["seed"]),
            "fold": None if fold is None else int(fold),
            "role": str(line["role"]),
        }
        if number in self._entries:
            self._entries[number] = replace(self._entries[number], **facts)
        else:
            place = self.folder / str(number)
            self._entries[number] = Entry(number=number, state="planned", folder=place, **facts)
        self._digests[facts["digest"]] = number


def _planned(
    number: int,
    digest: str,
    overrides: Sequence[str],
    cell: Mapping[str, str],
    seed: int,
    fold: int | None,
    role: str,
) -> dict[str, Any]:
    facts = (digest, overrides, cell, seed, fold, role)
    return {"event": "planned", "number": number, **dict(zip(KEPT, facts, strict=True))}

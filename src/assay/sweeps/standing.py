"""How a sweep stands: counts, the best so far, what runs and how far it is, the remaining time. Reads, never writes."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, NamedTuple

from assay.screens import lower_is_better
from assay.sweeps.ledger.job_folders import read_summary
from assay.sweeps.ledger.ledger import Entry, Ledger

if TYPE_CHECKING:
    from assay.sweeps.strategy import Strategy

TAIL = 400  # bytes of log.txt that hold its last line


class Mean(NamedTuple):
    """A cell's score: its mean, the deviation between its runs (None of one), and how many there are."""

    label: str
    mean: float
    deviation: float | None
    runs: int


class Standing:
    """What one parent knows of a sweep.

    Args:
        config: of the first point.
        slots: jobs at once.
    """

    def __init__(self, ledger: Ledger, strategy: Strategy, config: Mapping[str, Any], slots: int) -> None:
        self.ledger, self.strategy, self.config, self.slots = ledger, strategy, config, slots
        self.start = time.monotonic()
        self.running: dict[int, tuple[Entry, float]] = {}
        self.mine: set[int] = set()
        self.seconds: list[float] = []
        self.monitor: str = config.get("monitor") or ""
        self._before = {entry.number: entry.attempts for entry in ledger.entries() if entry.state == "failed"}

    def began(self, entry: Entry) -> None:
        self.mine.add(entry.number)
        self.running[entry.number] = entry, time.monotonic()

    def ended(self, entry: Entry) -> None:
        self.running.pop(entry.number, None)
        if entry.state in ("done", "pruned"):
            self.seconds.append(entry.seconds)
        if entry.state == "done" and not self.monitor:
            self.monitor = str(read_summary(entry.folder).get("monitor") or "")

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.start

    def counts(self) -> Counter[str]:
        """Entries by state; running are those of this parent and of others that live."""
        found = Counter(entry.state for entry in self.ledger.entries())
        found["total"] = max(self.strategy.runs, sum(found.values()))
        return found

    def failed(self) -> list[Entry]:
        """The failures of this command: not those of points that an earlier one had and this one has not."""
        return [
            entry
            for entry in self.ledger.entries()
            if entry.state == "failed"
            and (entry.number in self.mine or self._before.get(entry.number) != entry.attempts)
        ]

    def done(self) -> list[Entry]:
        """Points that have a score."""
        if not self.monitor:
            for entry in self.ledger.entries():
                if entry.state == "done" and not self.monitor:
                    self.monitor = str(read_summary(entry.folder).get("monitor") or "")
        return [entry for entry in self.ledger.entries() if entry.state == "done" and self.monitor in entry.metrics]

    @property
    def lower(self) -> bool:
        """Whether less of the monitored metric is better."""
        if mode := self.config.get("monitor_mode"):
            return mode == "min"
        return lower_is_better(self.monitor)

    def best(self) -> Entry | None:
        """The best single run."""
        found = [entry for entry in self.done() if entry.role != "tune"]
        sign = -1 if self.lower else 1
        return max(found, key=lambda entry: sign * entry.metrics[self.monitor], default=None)

    def means(self) -> list[Mean]:
        """Every cell's mean over its seeds and folds, the best first."""
        cells: dict[str, list[float]] = {}
        for entry in self.done():
            if entry.role != "tune":
                cells.setdefault(cell_label(entry), []).append(entry.metrics[self.monitor])
        found = [Mean(label, fmean(v), stdev(v) if len(v) > 1 else None, len(v)) for label, v in cells.items()]
        return sorted(found, key=lambda one: one.mean, reverse=not self.lower)

    def left(self) -> float | None:
        """Seconds to go, from the mean of those that ended here; None before one has."""
        counts = self.counts()
        open_ = counts["total"] - counts["done"] - counts["failed"] - counts["pruned"]
        if not self.seconds or open_ <= 0:
            return None
        mean = fmean(self.seconds)
        begun = sum(min(time.monotonic() - since, mean) for _, since in self.running.values())
        return max(open_ * mean - begun, 0.0) / self.slots

    def label(self, entry: Entry) -> str:
        """A point as a user knows it: its number, its cell, its seed and fold."""
        repeat = [f"seed={entry.seed}"] + ([f"fold={entry.fold}"] if entry.fold is not None else [])
        return " ".join([str(entry.number), *[word for word in (cell_label(entry),) if word], *repeat])


def cell_label(entry: Entry) -> str:
    return " ".join(f"{key}={value}" for key, value in entry.cell.items())


def progress(where: Path) -> str:
    """How far a run is: the last line of its progress in log.txt."""
    try:
        with open(where / "log.txt", "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(size - TAIL, 0))
            lines = file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line for line in reversed(lines) if line.startswith("epoch ")), "")

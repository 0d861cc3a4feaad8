"""What a sweep, or any tree of run folders, holds: read once, for the page of many runs. Imports no torch.

Nothing here depends on where the runs lie now or how they came there: a sweep's own files only add what the runs cannot
say (what is planned, which runs searched, why a job left no folder).
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import ConfigError
from assay.lifecycle import records as reading
from assay.lifecycle.records import Record
from assay.sweeps.ledger.ledger import JOURNAL, Entry, Ledger
from assay.sweeps.tables.cells import Apart, Group, groups

SWEEP = "sweep.json"
ENDS = ("failed", "killed", "stopped", "interrupted")
"""Runs that ended without a result, and need somebody to look."""


@dataclass(frozen=True)
class Failure:
    """A run that came to nothing.

    Attributes:
        settings: what was typed for it.
    """

    folder: Path
    status: str
    reason: str
    settings: dict[str, str]


@dataclass(frozen=True)
class Tree:
    """All that was found below one folder.

    Attributes:
        records: the runs that can be read, by their start; bad: the folders that cannot, with the reason.
        groups: of comparable cells, the largest first; apart: the runs in none, with the reason.
        sweep: of sweep.json, where the folder is one sweep; else empty.
        entries: of its ledger, by the name of the job folder.
        sizes: bytes of each run's folder.
    """

    folder: Path
    records: list[Record]
    bad: list[tuple[Path, str]]
    groups: list[Group]
    apart: Apart
    sweep: dict[str, Any]
    entries: dict[str, Entry]
    sizes: dict[Path, int]

    @property
    def name(self) -> str:
        return str(self.sweep.get("name") or self.folder.name or self.folder)

    @property
    def failures(self) -> list[Failure]:
        """Runs that ended without a result, and jobs that left no run at all."""
        found = []
        for one in self.records:
            if one.status in ENDS:
                entry = self.entry(one)
                reason = (
                    one.summary.get("reason") or (entry.reason if entry is not None else "") or _REASONS[one.status]
                )
                found.append(Failure(one.folder, one.status, " ".join(str(reason).split()), _settings(one.overrides)))
        there = {one.folder.name for one in self.records}
        for name, entry in self.entries.items():
            if entry.state == "failed" and name not in there:
                reason = " ".join(entry.reason.split()) or "it ended before it was a run"
                found.append(Failure(entry.folder, "failed", reason, _settings(entry.overrides)))
        return found

    @property
    def waiting(self) -> int:
        """Points of the sweep that nobody has begun."""
        return sum(entry.state == "planned" for entry in self.entries.values())

    def entry(self, record: Record) -> Entry | None:
        """What the ledger says of a run; None where there is none, or it is of another folder."""
        return self.entries.get(record.folder.name) if record.folder.parent == self.folder else None


_REASONS = {
    "failed": "an error of the program; log.txt has its trace",
    "killed": "killed: no end was recorded",
    "stopped": "stopped by a signal, after saving",
    "interrupted": "ended at once (Ctrl-C twice), without saving",
}


def read(folder: Path) -> Tree:
    """Reads all runs at or below a folder.

    Raises:
        ConfigError: it holds no run that could be shown.
    """
    found, bad = reading.read_all(reading.folders(folder))
    sweep, entries = _sweep(folder), _entries(folder)
    if not found and not bad and not entries:
        raise ConfigError(f"{folder} holds no runs; name a run folder, a sweep, or a folder above some")
    made, apart = groups(found)
    return Tree(folder, found, bad, made, apart, sweep, entries, {one.folder: _bytes(one.folder) for one in found})


def _sweep(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / SWEEP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _entries(folder: Path) -> dict[str, Entry]:
    """Of the ledger; none where there is none, or none that can be read: the run folders say the rest."""
    if not (folder / JOURNAL).is_file():
        return {}
    try:
        return {entry.folder.name: entry for entry in Ledger(folder).entries()}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _settings(overrides: Sequence[str]) -> dict[str, str]:
    pairs = (override.partition("=") for override in overrides)
    found = {key.lstrip("+~"): value for key, sign, value in pairs if sign}
    return {key: value for key, value in found.items() if key not in (*reading.NOT_TOLD, "logger")}


def _bytes(folder: Path) -> int:
    total, waiting = 0, [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        continue
                    if entry.is_dir():
                        waiting.append(entry.path)
                    else:
                        total += entry.stat().st_size
        except OSError:
            continue
    return total

"""``plan=true`` of a sweep: its points, how they are made up, and how long what is left of them will take."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.composition.compose import Composer
from assay.composition.devices import core_count
from assay.composition.nearest import listed
from assay.composition.points import Command
from assay.folder import is_sweep
from assay.preflight import Point
from assay.screens import shown
from assay.sweeps.ledger.identity import identity
from assay.sweeps.ledger.ledger import Entry, Ledger

_ALL, _ENDS = 40, 5  # points that are shown one by one, and of more the first and last ones


def show(points: Sequence[Point], command: Command, composer: Composer, flags: Namespace) -> None:
    """Prints the plan of a sweep; nothing is made."""
    from assay.launch import show_plan
    from assay.sweeps.start import folder_of

    settings = points[0].settings
    ends = points if len(points) <= _ALL else points[:_ENDS]
    show_plan(ends)
    if len(ends) < len(points):
        print(f"…  {len(points) - len(ends)} more")
    if (drawn := drawn_line(settings)) is not None:
        print(drawn)
        print("all checks passed; leave out plan=true to train")
        return
    folder = folder_of(command, composer, flags)
    entries = Ledger(folder).entries() if is_sweep(folder) else []
    for line in (made_up(points), *so_far(points, entries, folder, settings["sweep"]["jobs"])):
        print(line)
    sys.stdout.flush()
    print(f"{_runs(len(points))}, all checks passed; leave out plan=true to train")


def drawn_line(settings: Mapping[str, Any]) -> str | None:
    """Of a search or tuning, which chooses its points as it goes; None of a grid."""
    search, tune = settings["switches"]["search"], settings["sweep"]["tune"]
    if settings["search"] is not None:
        trials = settings["search"].get("trials")
        return f"these are the ends of what search={search} draws from, {trials} trials in all"
    if tune:
        each = settings["sweep"]["tune_trials"]
        return (
            f"before the points of a cell run, {each} runs of it look for {listed([str(key) for key in tune], 'and')}"
        )
    return None


def made_up(points: Sequence[Point]) -> str:
    """``4 cells × 3 seeds × 5 folds``."""
    cells = len({tuple(sorted(point.cell.items())) for point in points})
    seeds = len({point.config["seed"] for point in points})
    folds = len({point.config["fold"] for point in points})
    parts = [_counted(cells, "cell"), *([_counted(seeds, "seed")] if seeds > 1 else [])]
    parts += [_counted(folds, "fold")] if folds > 1 else []
    return " × ".join(parts)


def so_far(points: Sequence[Point], entries: Sequence[Entry], folder: Path, jobs: int | str) -> list[str]:
    """What of it is done, and how long the rest takes by the times of what is."""
    if not entries:
        return [f"a new sweep, {shown(folder)}"]
    known = {entry.digest: entry for entry in entries}
    mine = [known.get(identity(point.config)) for point in points]
    done = [entry for entry in mine if entry is not None and entry.state in ("done", "pruned")]
    failed = sum(entry is not None and entry.state == "failed" for entry in mine)
    said = f"sweep {shown(folder)}: {len(done)} of these done"
    said += f", {failed} failed and tried again" if failed else ""
    rest = len(points) - len(done)
    if not rest or not (seconds := expected(points, entries)):
        return [said]
    from assay.callbacks.progress import duration

    at_once = core_count() if jobs == "auto" else int(jobs)
    return [f"{said}; the other {rest} take about {duration(seconds / min(at_once, rest))}, {at_once} at once"]


def expected(points: Sequence[Point], entries: Sequence[Entry]) -> float:
    """Seconds of all runs that are not done: each as its cell took so far, else as the others did; 0 where none is
    done."""
    timed = [entry for entry in entries if entry.state == "done" and entry.seconds]
    if not timed:
        return 0.0
    usual = sum(entry.seconds for entry in timed) / len(timed)
    cells: dict[tuple[tuple[str, str], ...], list[float]] = {}
    for entry in timed:
        cells.setdefault(tuple(sorted(entry.cell.items())), []).append(entry.seconds)
    done = {entry.digest for entry in entries if entry.state in ("done", "pruned")}
    left = 0.0
    for point in points:
        if identity(point.config) not in done:
            own = cells.get(tuple(sorted(point.cell.items())), [usual])
            left += sum(own) / len(own)
    return left


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _runs(number: int) -> str:
    return _counted(number, "run")

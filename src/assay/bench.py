"""`assay bench`: our speed against plain references, as ratios.

Two contenders take turns in one run, so that whatever else the machine does falls on both; the result is the median of
the paired ratios with their range. Absolute times are shown beside it, and mean little on another machine.
Imports no torch: two of the measurements are of processes that start from nothing.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from assay.environment import processor, versions
from assay.errors import ConfigError
from assay.folder import write_json

GROUPS = ("step", "start", "loader", "checkpoint", "refusal", "distillation", "crf", "generation", "sweep")
TABLE = ("<!-- bench -->", "<!-- /bench -->")
_ROUNDED = 4


@dataclass(frozen=True)
class Comparison:
    """Two ways to do the same work.

    Args:
        name: of the row, as ``step mlp``.
        work: what both do, in words.
        ours, reference: do it once and return seconds per unit of work.
        unit: of work.
        goal: for the ratio.
        speed: the ratio is of speeds, ours to the reference's, and should reach the goal; otherwise of times, and
            should stay below.
        pairs: how often both are measured; one pair more is thrown away first.
    """

    name: str
    work: str
    ours: Callable[[], float]
    reference: Callable[[], float]
    unit: str
    goal: float
    speed: bool = False
    pairs: int = 7

    def measure(self, pairs: int | None = None, warm: bool = True) -> dict[str, Any]:
        """Measures in turns, the one that goes first changing each time."""
        ours: list[float] = []
        reference: list[float] = []
        for number in range((pairs or self.pairs) + warm):
            turns = [(ours, self.ours), (reference, self.reference)]
            for seconds, contender in turns if number % 2 else reversed(turns):
                seconds.append(contender())
        ours, reference = ours[warm:], reference[warm:]
        ratios = [b / a if self.speed else a / b for a, b in zip(ours, reference, strict=True)]
        return {
            "name": self.name,
            "work": self.work,
            "unit": self.unit,
            "goal": self.goal,
            "speed": self.speed,
            "ratio": _spread(ratios),
            "ours": _spread(ours),
            "reference": _spread(reference),
            "pairs": len(ratios),
            "met": median(ratios) >= self.goal if self.speed else median(ratios) <= self.goal,
        }


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {
        name: float(f"{value:.{_ROUNDED}g}")
        for name, value in (("median", median(values)), ("min", min(values)), ("max", max(values)))
    }


def comparisons(group: str) -> list[Comparison]:
    """The comparisons of a group.

    Raises:
        ConfigError: there is no such group.
    """
    if group not in GROUPS:
        raise ConfigError(f"bench {group} is not measured; possible are {', '.join(GROUPS)}")
    return import_module(f"assay.benchmarks.{group}").comparisons()


def machine() -> dict[str, Any]:
    """Where a result was measured, and how busy it was."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "load": load,
        "byte_code": "not written" if os.environ.get("PYTHONDONTWRITEBYTECODE") else "written",
    }


def measure(group: str, pairs: int | None = None) -> dict[str, Any]:
    """All comparisons of a group, with what a reader needs to repeat them."""
    found = comparisons(group)  # refuses before the machine is described
    return {
        "command": f"assay bench {group}",
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "results": [comparison.measure(pairs) for comparison in found],
    }


def bench_command(names: Sequence[str]) -> int:
    """Measures the named groups, all without names, and prints each result as it comes.

    Raises:
        ConfigError: there is no such group, or it needs a checkout.
    """
    chosen = list(dict.fromkeys(names)) or list(GROUPS)
    found = {group: comparisons(group) for group in chosen}
    about = machine()
    print(f"{about['processor']}, {about['cores']} cores, load {about['load']}, byte code {about['byte_code']}")
    print(", ".join(f"{name} {version}" for name, version in versions().items()), flush=True)
    for group in chosen:
        for comparison in found[group]:
            print(line(comparison.measure()), flush=True)
    return 0


def record(folder: str | Path, names: Sequence[str] = GROUPS, pairs: int | None = None) -> None:
    """Measures groups and writes each as ``<folder>/<group>.json``, from which :func:`table` is rendered."""
    for group in names:
        write_json(Path(folder) / f"{group}.json", measure(group, pairs))


def line(result: Mapping[str, Any]) -> str:
    """One result for a terminal."""
    ratio = result["ratio"]
    goal = f"goal {'≥' if result['speed'] else '≤'} {result['goal']:g}{'' if result['met'] else ', missed'}"
    times = f"{_time(result['ours']['median'])} against {_time(result['reference']['median'])} per {result['unit']}"
    spread = f"{ratio['min']:.2f} to {ratio['max']:.2f}, {result['pairs']} pairs"
    return f"{result['name']:<18} {ratio['median']:>6.2f} ({spread}; {goal})  {times}: {result['work']}"


def table(folder: str | Path) -> str:
    """The records of a folder as the README shows them.

    Raises:
        ConfigError: it holds none.
    """
    rows, notes = [], []
    for group in GROUPS:
        path = Path(folder) / f"{group}.json"
        if not path.is_file():
            continue
        kept = json.loads(path.read_text(encoding="utf-8"))
        for result in kept["results"]:
            ratio = result["ratio"]
            goal = f"{'≥' if result['speed'] else '≤'} {result['goal']:g}"
            spread = f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})"
            rows.append(f"| {result['name']} | {result['work']} | {spread} | {goal} | {result['pairs']} |")
        about = kept["machine"]
        notes.append(
            f"`{kept['command']}`, {kept['date'][:10]}, {about['processor']}, {about['cores']} cores, "
            f"load {about['load']:.1f}, Python {kept['versions']['python']}, torch {kept['versions']['torch']}"
        )
    if not rows:
        raise ConfigError(f"{folder} holds no records; assay.bench.record writes them")
    head = ["| | what both do | ratio, median (range) | goal | pairs |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows, "", *(f"{note}.  " for note in notes)]).rstrip()


def write_table(folder: str | Path, file: str | Path) -> None:
    """Brings the table between the marks of a Markdown file up to date."""
    path = Path(file)
    before, mark, rest = path.read_text(encoding="utf-8").partition(TABLE[0])
    _, end, after = rest.partition(TABLE[1])
    if not (mark and end):
        raise ConfigError(f"{file} has no place for the table: write {TABLE[0]} and {TABLE[1]}")
    path.write_text(f"{before}{mark}\n{table(folder)}\n{end}{after}", encoding="utf-8")


def _time(seconds: float) -> str:
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"

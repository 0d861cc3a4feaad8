"""Where a sweep lies, what it is called, and how SWEEP, SWEEP:12 and SWEEP:best find it. Imports no torch."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import ConfigError
from assay.folder import find, is_sweep, read_config
from assay.screens import lower_is_better
from assay.sweeps.ledger.identity import NO_RESULT, REPEATS, root_of
from assay.sweeps.ledger.job_folders import read_summary
from assay.sweeps.ledger.ledger import Entry, Ledger

if TYPE_CHECKING:
    from assay.composition.points import Command

FILE = "sweep.json"
FORMAT = 1
_SHOWN = 48  # letters of axes in a name


def name_of(command: Command, places: Mapping[str, str | None] | None = None) -> str:
    """What an unnamed sweep is called: its axes, and a digest of them and of what its points share.

    Values of axes do not count, nor do seeds: more of them extend a sweep. Nor does what changes no result.

    Args:
        places: flags that say where options are found (``--config-dir``).
    """
    axes = [key for key in command.varied if key != "seed"]
    told = [command.text(key) for key in ("search", "sweep.tune")]
    told = [text for text in told if text and text != "search=grid"]
    facts = [fixed(command), sorted(axes), told, {k: v for k, v in (places or {}).items() if v}]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:8]
    words = [re.sub(r"[^\w]+", "_", key.rpartition(".")[2]) for key in axes] or ["seeds"]
    return f"{'-'.join(words)[:_SHOWN].rstrip('-_')}-{digest}"


def fixed(command: Command) -> list[str]:
    """The overrides that all points share and that change results, sorted. The seed is an axis, whether it varies."""
    return sorted(text for text in command.fixed if root_of(text) not in (*NO_RESULT, *REPEATS))


def sweeps_in(outputs: str | Path) -> list[Path]:
    """Every sweep of an outputs folder, by name."""
    place = Path(outputs) / "sweeps"
    return sorted(one.parent for one in place.glob(f"*/{FILE}")) if place.is_dir() else []


def find_sweep(text: str, outputs: str | Path = "outputs") -> Path:
    """The folder that SWEEP names: a folder, a name as below ``outputs/sweeps``, or ``latest``.

    Raises:
        ConfigError: there is no such sweep.
    """
    if text == "latest":
        found = find(text, outputs)
        if not is_sweep(found):
            raise ConfigError(f"latest is a run, {found.name}, and no sweep; {_known(outputs)}")
        return found
    for place in (Path(text), Path(outputs) / "sweeps" / text, Path(outputs) / text):
        if is_sweep(place):
            return place.resolve()
    raise ConfigError(f"{text} is no sweep; {_known(outputs)}")


def _known(outputs: str | Path) -> str:
    names = [place.name for place in sweeps_in(outputs)]
    if not names:
        return f"there is none in {outputs}: `assay train -m …` makes one"
    return f"there is {', '.join(names[-5:])}" + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def find_job(text: str, outputs: str | Path = "outputs") -> Path:
    """The run folder of ``SWEEP:12`` or ``SWEEP:best``.

    Raises:
        ConfigError: there is no such sweep, point or finished run.
    """
    sweep, _, which = text.rpartition(":")
    folder = find_sweep(sweep, outputs)
    if which == "best":
        return best(Ledger(folder).entries(), sweep).folder
    if not which.isdecimal():
        raise ConfigError(f"{text} names no point: write {sweep}:best, or its number, as {sweep}:0")
    if not (folder / which).is_dir():
        entries = Ledger(folder).entries()
        known = f"it has 0 to {entries[-1].number}" if entries else "it has none yet"
        has = any(entry.number == int(which) for entry in entries)
        raise ConfigError(f"{sweep}:{which} has not begun" if has else f"{sweep} has no point {which}: {known}")
    return folder / which


def best(entries: Iterable[Entry], sweep: str) -> Entry:
    """The finished point that is best by the metric its runs monitored, which is never a test metric; of equal ones
    the first.

    Raises:
        ConfigError: none is finished, or they monitored different metrics.
    """
    scored: list[tuple[float, Entry]] = []
    watched: dict[tuple[str, str], None] = {}
    for entry in entries:
        if entry.state == "done" and (found := monitored(entry.folder)):
            metric, mode, value = found
            watched[metric, mode] = None
            scored.append((value if mode == "min" else -value, entry))
    if not scored:
        raise ConfigError(f"{sweep} has no finished point with a validation score yet")
    if len(watched) > 1:
        named = " and ".join(metric for metric, _ in watched)
        raise ConfigError(f"{sweep} has no best point: its runs were judged by {named}; name one by its number")
    return min(scored, key=lambda one: (one[0] != one[0], one[0], one[1].number))[1]


def monitored(folder: Path) -> tuple[str, str, float] | None:
    """(metric, min or max, value) of a finished run, by its monitor; None where it has none."""
    summary = read_summary(folder)
    metric = summary.get("monitor")
    value = summary.get(str(metric))
    if not isinstance(metric, str) or metric.startswith("test/") or not isinstance(value, int | float):
        return None
    try:
        asked = read_config(folder).get("monitor_mode")
    except ConfigError:
        asked = None
    return metric, str(asked or ("min" if lower_is_better(metric) else "max")), float(value)


def read_facts(folder: Path) -> dict[str, Any]:
    """sweep.json; empty where it is lost: the command that runs the sweep writes it anew.

    Raises:
        ConfigError: it is of a newer format.
    """
    try:
        facts = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(facts, dict):
        return {}
    if facts.get("format") != FORMAT:
        raise ConfigError(f"{folder / FILE} has format {facts.get('format')}; this version reads {FORMAT}")
    return facts

"""The light record of many runs: config, summary, status. The one place that reads them for tables. Imports no torch.

A config of 10,000 runs costs seconds even in libyaml, and a table needs a few of its keys: so the text is split at its
top-level keys, and only the parts that are asked for are parsed.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from assay import folder as run_folder
from assay.errors import ConfigError

MARKS = frozenset({"config.yaml", "overrides.yaml", "environment.json", "metrics.csv", "summary.json"})
"""Two of these make a folder a run: one alone (conf/config.yaml, a table of the user's) does not."""

OWN = ("folder", "status", "started", "seed")
"""What a record knows beside its switches, summary and config."""

NOT_TOLD = ("name", "outputs", "plan", "data_dir", "threads", "seed")
"""Typed keys that say nothing about what was tried, or have a column of their own."""

_NOTHING = object()
_DAY, _TIME = re.compile(r"\d{4}-\d\d-\d\d"), re.compile(r"(\d\d)-(\d\d)-(\d\d)-")
_TOP = re.compile(r"^(?=[^\s#\-])", re.MULTILINE)  # where a key of the outermost mapping begins


@dataclass
class Record:
    """One run.

    Attributes:
        status: done, failed, stopped, interrupted, running, or killed (it ended without a word).
        began: seconds since 1970.
        overrides: as stored, in Hydra's grammar.
        summary: of summary.json, without its format and status; empty while there is none.
        text: of config.yaml.
    """

    folder: Path
    status: str
    began: float
    switches: dict[str, str]
    seed: Any
    overrides: list[str]
    summary: dict[str, Any]
    text: str = field(repr=False)
    _parts: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def started(self) -> str:
        return datetime.fromtimestamp(self.began).strftime("%Y-%m-%d %H:%M:%S")

    def config(self, key: str) -> tuple[bool, Any]:
        """(whether the config has the dotted key, its value)."""
        first, *rest = key.split(".")
        if first not in self._parts:
            self._parts |= {first: _NOTHING} | self._parsed((first,))
        node = self._parts[first]
        if node is _NOTHING:
            return False, None
        for part in rest:
            if not isinstance(node, Mapping) or part not in node:
                return False, None
            node = node[part]
        return True, node

    def value(self, key: str) -> tuple[bool, Any]:
        """(whether there is such a thing, its value): of the run itself, a switch, a metric, or a key of the config."""
        if key in OWN:
            return True, str(self.folder) if key == "folder" else getattr(self, key)
        if key in self.switches:
            return True, self.switches[key]
        if key in self.summary:
            return True, self.summary[key]
        return self.config(key)

    def typed(self) -> dict[str, str]:
        """The keys that were typed and tell something, choices of options apart, and their values as typed."""
        found = {}
        for override in self.overrides:
            key, sign, value = override.partition("=")
            key = key.lstrip("+~")
            if sign and key not in NOT_TOLD and key.partition("@")[0] not in self.switches:
                found[key] = value
        return found

    def keys(self) -> Iterator[str]:
        """Everything :meth:`value` knows."""
        yield from OWN
        yield from self.switches
        yield from self.summary
        yield from (key for key, _ in leaves(self._parsed()))

    def _parsed(self, names: Sequence[str] = ()) -> dict[str, Any]:
        """Parts of the config; none where they are broken: what was read of the run is enough to list it."""
        import yaml

        try:
            return parse(self.text, names)
        except yaml.YAMLError:
            return {}


def parse(text: str, names: Sequence[str] = ()) -> dict[str, Any]:
    """The parts of a config under these top-level keys; all of it without names, or where the text is not ours.

    Raises:
        yaml.YAMLError: it is not YAML of plain values.
    """
    import yaml

    if names:
        parts = {part.partition(":")[0]: part for part in _TOP.split(text)}
        try:
            return _load("".join(parts[name] for name in names))
        except (KeyError, yaml.YAMLError):  # a key that is not there, or quoted; an anchor in another part
            pass
    return _load(text)


def _load(text: str) -> Any:
    import yaml

    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # without libyaml: slower, the same


def leaves(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of everything that is not a mapping; an empty mapping is a value."""
    for key, value in node.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def folders(path: Path, links: bool = True) -> list[Path]:
    """The run folders at or below a path, each once whatever links lead to it. Nothing below a run is looked at.

    Raises:
        ConfigError: there is no such folder.
    """
    if path.is_file() and path.name == "latest":  # where links are not to be had
        path = path.parent / path.read_text(encoding="utf-8").strip()
    if not path.is_dir():
        raise ConfigError(f"{path} is not a folder of runs; name one, or train a run with `assay train`")
    found: dict[str, Path] = {}
    seen: set[str] = set()
    waiting = [path]
    while waiting:
        aside: list[Path] = []
        for start in waiting:
            _walk(start, found, seen, aside)
        waiting = aside if links else []  # after all that is really here, so that a run has its own name
    return [found[real] for real in sorted(found)]


def _walk(start: Path, found: dict[str, Path], seen: set[str], aside: list[Path]) -> None:
    waiting = [(os.path.realpath(start), start)]
    while waiting:
        real, here = waiting.pop()
        if real in seen:
            continue
        seen.add(real)
        try:
            with os.scandir(here) as entries:
                inside = list(entries)
        except OSError:
            found[real] = here  # reading it says why
            continue
        names = {entry.name for entry in inside}
        if len(names & MARKS) >= 2:
            found[real] = here
        elif "artifact.json" not in names:
            if "sweep.json" in names:  # its jobs have numbers; the snapshot of its source is no place for runs
                inside = [entry for entry in inside if entry.name.isdecimal()]
            for entry in inside:
                if entry.is_symlink():
                    if entry.is_dir():
                        aside.append(here / entry.name)
                elif not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                    waiting.append((os.path.join(real, entry.name), here / entry.name))


def read(folder: Path) -> Record:
    """One run.

    Raises:
        ConfigError: it cannot be read, or is of a newer format; the line does not name the folder.
    """
    import yaml

    name = "config.yaml"
    try:
        text = (folder / name).read_text(encoding="utf-8")
        began = os.stat(folder / name).st_mtime
        config = parse(text, ("format", "seed", "switches"))
        _check_format(name, config)
        name = "summary.json"
        summary = _json(folder / name)
        name = "overrides.yaml"
        overrides = parse((folder / name).read_text(encoding="utf-8")) if (folder / name).exists() else []
    except FileNotFoundError as error:
        raise ConfigError(f"no {name}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError, json.JSONDecodeError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ConfigError(f"{name} cannot be read: {reason}") from error
    switches = config.get("switches")
    if not isinstance(switches, dict) or not isinstance(overrides, list | None):
        raise ConfigError("config.yaml is not whole")
    ended = "killed" if summary is None else str(summary.get("status"))
    return Record(
        folder,
        "running" if run_folder.is_running(folder) else ended,
        _began(folder, began),
        switches,
        config.get("seed"),
        [str(one) for one in overrides or []],
        {key: value for key, value in (summary or {}).items() if key not in ("format", "status")},
        text,
    )


def read_all(found: Iterable[Path]) -> tuple[list[Record], list[tuple[Path, str]]]:
    """The runs that can be read, by their start, and the folders that cannot, with the reason."""
    records: list[Record] = []
    bad: list[tuple[Path, str]] = []
    found = list(found)
    said = sys.stderr if len(found) > 2000 and sys.stderr.isatty() else None
    for number, folder in enumerate(found):
        if said and number % 500 == 0:
            said.write(f"\rreading {number:,} of {len(found):,} runs")
        try:
            records.append(read(folder))
        except ConfigError as error:
            bad.append((folder, str(error)))
    if said:
        said.write("\r\033[K")
    return sorted(records, key=lambda record: (record.began, natural(str(record.folder)))), bad


def told(records: Sequence[Record]) -> list[str]:
    """The keys that somebody typed for one of these runs, in the order of their first use."""
    return list(dict.fromkeys(key for record in records for key in record.typed()))


def row(record: Record, keys: Iterable[str]) -> dict[str, Any]:
    """All of a run as one flat row: folder, status, start, switches, the typed keys, seed, and its summary."""
    values = {key: value for key in keys if (there := record.config(key))[0] for value in (there[1],)}
    own = {"folder": str(record.folder), "status": record.status, "started": record.started}
    return {**own, **record.switches, **values, "seed": record.seed, **record.summary}


def bad_line(bad: Sequence[tuple[Path, str]], shown: Callable[[Path], str] = str) -> str:
    """What could not be read, in one line."""
    named = [f"{shown(folder)} ({reason})" for folder, reason in bad[:5]]
    more = [f"{len(bad) - 5} more"] if len(bad) > 5 else []
    counted = "1 folder is" if len(bad) == 1 else f"{len(bad)} folders are"
    return f"{counted} left out: {', '.join([*named, *more])}"


def natural(text: str) -> tuple[int, float, list[tuple[bool, int, str]]]:
    """For sorting: numbers by their size (0.003 before 0.01), then words, ``run9`` before ``run10``."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isfinite(value):
        return 0, value, []
    parts = [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", text)]
    return 1, 0.0, parts


def _json(path: Path) -> dict[str, Any] | None:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    found = json.loads(text)
    _check_format(path.name, found)
    return found


def _check_format(name: str, found: Any) -> None:
    if not isinstance(found, dict):
        raise ConfigError(f"{name} is no mapping")
    if found.get("format") != run_folder.FORMAT:
        raise ConfigError(f"{name} has format {found.get('format')}; this version reads {run_folder.FORMAT}")


def _began(folder: Path, otherwise: float) -> float:
    """From ``<date>/<time>-<name>``, which survives copying; else when the config was written."""
    place = Path(os.path.abspath(folder))
    time = _TIME.match(place.name)
    if time and _DAY.fullmatch(place.parent.name):
        try:
            return datetime.fromisoformat(f"{place.parent.name}T{time[1]}:{time[2]}:{time[3]}").timestamp()
        except ValueError:
            pass
    return otherwise

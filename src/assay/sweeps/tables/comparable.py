"""What a run must share with another for their scores to be compared, and what of its config decides its result."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from assay.lifecycle import records as reading
from assay.lifecycle.records import Record
from assay.screens import lower_is_better
from assay.sweeps.ledger.job_folders import POINT

_MACHINE = "logger threads deterministic channels_last trainer debug checkpoint log_every plan name outputs data_dir"
_OF_THE_SWEEP = "sweep search launcher seeds folds ablate experiment"
_TOLD_APART = "format seed fold monitor monitor_mode reads switches"

HOW = frozenset(f"{_MACHINE} {_OF_THE_SWEEP} {_TOLD_APART}".split())
"""Top-level keys and switches that say how, where or how often a run ran, or are told by :class:`Ground`. The keys of
``trainer`` count, but for :data:`HOW_KEYS`; ``experiment`` is what it chooses."""

_TRAINER = "_target_ _partial_ accelerator devices num_nodes strategy"

HOW_KEYS = frozenset({"data.fold", "data.folds", "data.split_seed", "data.num_workers"}) | {
    f"trainer.{key}" for key in _TRAINER.split()
}
"""Keys inside those that count which do not. A path of the data does not either: its digest says what lay there."""

_BLOCK = re.compile(r"^(?=[^\s#\-])", re.MULTILINE)  # where a key of the outermost mapping begins

_ENDED = {
    "running": "is running",
    "killed": "was killed",
    "stopped": "was stopped",
    "interrupted": "was interrupted",
    "pruned": "was pruned by its search",
}


@dataclass(frozen=True)
class Ground:
    """What scores are compared on.

    Attributes:
        data: the option; of two options with the same contents, the first one's.
        digest: of the data's contents.
        split: how they were cut: the seed, the folds, and where there are none, how many validate and test.
        metric: the monitored one, by which cells are ordered.
        mode: of it, min or max.
    """

    data: str
    digest: str
    split: tuple[tuple[str, str], ...]
    metric: str
    mode: str

    @property
    def key(self) -> tuple[Any, ...]:
        return self.digest, self.split, self.metric, self.mode


@dataclass(frozen=True)
class Facts:
    """Of one run: its ground, what decides its result, and what it was made with.

    Attributes:
        settings: (dotted key, value as repr) of all that decides the result, seed and fold apart.
        role: in its sweep: ``point``, ``tune`` of a cell, or ``trial`` of a search; ``point`` outside of one.
        source: digest of the package's source.
        epochs: as planned.
    """

    ground: Ground
    settings: frozenset[tuple[str, str]]
    role: str
    source: str
    versions: str
    epochs: str


def facts(record: Record) -> Facts | str:
    """What there is to know of a run that can be compared; of another the reason why it cannot."""
    if (record.folder / "stage.json").is_file():
        return "a stage of a loop over runs, which is read as one"
    if record.status != "done":
        return ended(record)
    if (debug := record.switches.get("debug", "none")) != "none":
        return f"a rehearsal (debug={debug})"
    metric = record.summary.get("monitor")
    if not metric:
        return "does not say what it watched"
    made, card = _json(record.folder / "environment.json"), _card(record.folder)
    digest = made.get("data_digest") or card.get("digest")
    if not digest:
        return "does not say what data it saw"
    settings = dict(_leaves(record))
    root = settings.get("data_dir")  # where downloads lie, as data.root too
    folds = record.config("data.folds")[1]
    split = [("data.split_seed", record.config("data.split_seed")[1]), ("data.folds", folds)]
    if folds is None:  # of folds, one may be larger by one than another
        split += [(name, card.get("sizes", {}).get(name)) for name in ("val", "test")]
    asked = record.config("monitor_mode")[1]
    return Facts(
        Ground(
            str(record.switches.get("data")),
            str(digest),
            tuple((key, str(value)) for key, value in split if value is not None),
            str(metric),
            str(asked or ("min" if lower_is_better(str(metric)) else "max")),
        ),
        frozenset((key, value) for key, value in settings.items() if _decides(key) and value != root)
        | _switches(record),
        str(_json(record.folder / POINT).get("role", "point")),
        str(made.get("source_digest", "")),
        ", ".join(
            f"{name} {version}" for name, version in made.get("versions", {}).items() if name in ("assay", "torch")
        ),
        settings.get("trainer.max_epochs", ""),
    )


def ended(record: Record) -> str:
    """How a run ended that is not done, in a few words."""
    if record.status == "failed":
        reason = record.summary.get("reason") or "by an error of the program; log.txt has more"
        return f"failed: {' '.join(str(reason).split())}"
    return _ENDED.get(record.status, f"is {record.status}")


def counts(key: str) -> bool:
    """Whether a switch, or a key as it may be typed, decides a result."""
    first = key.partition(".")[0]
    return _decides(key) and ((first == "trainer" and "." in key) or first not in HOW)


def _decides(key: str) -> bool:
    first, _, rest = key.partition(".")
    path = first == "data" and rest.endswith("path")
    return (first not in HOW or (first == "trainer" and rest != "")) and key not in HOW_KEYS and not path


def _switches(record: Record) -> frozenset[tuple[str, str]]:
    return frozenset((f"={group}", repr(name)) for group, name in record.switches.items() if group not in HOW)


def _leaves(record: Record) -> Mapping[str, str]:
    """(dotted key -> repr of its value) of the whole config. A block of text that many runs share is parsed once."""
    import yaml

    found: dict[str, str] = {}
    try:
        for part in _BLOCK.split(record.text):
            if part.partition(":")[0] not in ("switches", "reads", "format", "seed", "name", "outputs"):
                found.update(_parsed(part))
    except (yaml.YAMLError, AttributeError):  # an anchor in another block, or not as we write it
        try:
            found = {key: repr(value) for key, value in reading.leaves(reading.parse(record.text))}
        except yaml.YAMLError:
            return {}
    return found


@lru_cache(maxsize=8192)
def _parsed(part: str) -> tuple[tuple[str, str], ...]:
    return tuple((key, repr(value)) for key, value in reading.leaves(reading.parse(part) or {}))


def _card(folder: Path) -> dict[str, Any]:
    """What the data were: from data.json, or of a loop from its artifact."""
    return _json(folder / "data.json") or _json(folder / "artifact" / "artifact.json").get("card", {})


def _json(path: Path) -> dict[str, Any]:
    """What the file holds; nothing where there is none, or a broken one: what it would say is then not known."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

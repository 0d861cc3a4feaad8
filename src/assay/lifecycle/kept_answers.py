"""Which of the teachers' answers in ``outputs/teachers`` can go. A run that misses them asks its teacher again and
computes the same bits, so only time is lost; and nothing at all where the teacher is gone. Imports no torch."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from assay.distillation.cache_switch import FOLDER, SUFFIX, header
from assay.errors import ConfigError
from assay.lifecycle.droppable import size, stage_folders

_WRITING = 600  # seconds; a half-written file that was touched since may be at work


@dataclass(frozen=True)
class Answers:
    """A file that goes, and why, in words."""

    path: Path
    size: int
    why: str


def unused(outputs: Path, runs: Iterable[Path], age: float | None) -> list[Answers]:
    """The files that can go.

    Without an age: those whose teacher is gone, so that no run can read them: none of the runs, none of their stages,
    and not the place it was read from (which may lie elsewhere, as of a W&B artifact) holds its artifact. With an age:
    those that no run has opened for so many seconds. Half-written ones go in any case, once nobody is at it.

    Args:
        outputs: that holds ``teachers/``; without it nothing is found.
        runs: every run folder there, readable or not.
    """
    place = outputs / FOLDER
    if not place.is_dir() or place.is_symlink():
        return []
    now, found = time.time(), []
    digests = None
    for path in sorted(place.glob(f"*{SUFFIX}*")):
        if path.is_symlink() or not path.is_file():
            continue
        last = path.stat().st_mtime
        if path.suffix == ".tmp":
            if now - last > _WRITING:
                found.append(Answers(path, size(path), "half-written"))
        elif path.suffix == SUFFIX and (facts := _facts(path)) is not None:
            if age is not None:
                since = datetime.fromtimestamp(last).strftime("%Y-%m-%d %H:%M")
                why = f"not opened since {since}" if now - last >= age else ""
            else:
                digests = set(_digests(runs)) if digests is None else digests
                why = "" if _readable(facts, digests) else "its teacher is gone"
            found += [Answers(path, size(path), why)] if why else []
    return found


def _facts(path: Path) -> Mapping[str, Any] | None:
    """What a file says of itself; None where it is none of ours."""
    try:
        return header(path)[0]["__metadata__"]
    except ConfigError:
        return None


def _readable(facts: Mapping[str, Any], digests: set[str]) -> bool:
    """Whether each of the models that answered is still there."""
    asked = str(facts.get("artifacts", facts["teacher"])).split()
    return set(asked) <= digests | {_digest(Path(place)) for place in json.loads(facts.get("places", "[]"))}


def _digests(runs: Iterable[Path]) -> Iterator[str]:
    for run in runs:
        for folder in (run, *stage_folders(run)):
            yield _digest(folder / "artifact")


def _digest(artifact: Path) -> str:
    try:
        return str(json.loads((artifact / "artifact.json").read_text(encoding="utf-8"))["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""

"""What differs between the runs: settings with their values, and what they were made with."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from assay.lifecycle.records import Record, natural
from assay.review.comparison.ranked import Ranked
from assay.review.html import Html, tag
from assay.review.page import row_head, table

_MADE_WITH = ("commit", "source_digest", "device", "threads", "world_size", "platform", "cpu_capability")
_VALUES = 12
_LETTERS = 60


def differences(group: Ranked) -> list[Html]:
    """Every key that varies, its values, and how many runs have each."""
    rows = []
    runs = group.group.runs
    for key in group.group.varied:
        counts = Counter(cell.settings.get(key, "–") for cell in group.cells for _ in cell.runs)
        rows.append([row_head(tag("code", key), "typed"), tag("td", _values(counts))])
    for key in group.group.followed:
        counts = Counter(str(one.switches.get(key, "–")) for one in runs)
        rows.append([row_head(tag("code", key), "follows from another"), tag("td", _values(counts))])
    made = _made_with(runs)
    rows += [[row_head(key.replace("_", " "), "made with"), tag("td", _values(counts))] for key, counts in made.items()]
    if not rows:
        return [tag("p", "Nothing differs but the seed.", class_="note")]
    return [table(["key", "values, and the runs that have each"], rows, label="what differs between the runs")]


def _values(counts: Mapping[str, int]) -> list[Html]:
    """In order; of many, the commonest."""
    ordered = sorted(counts, key=natural)
    if len(ordered) > _VALUES:
        kept = set(sorted(counts, key=lambda value: -counts[value])[:_VALUES])
        ordered = [value for value in ordered if value in kept]
    shown = [tag("span", tag("code", _cut(value)), f" × {counts[value]}", class_="value") for value in ordered]
    left = len(counts) - len(ordered)
    return [*shown, tag("span", f" and {left} more", class_="small")] if left else shown


def _cut(value: str) -> str:
    return value if len(value) <= _LETTERS else value[: _LETTERS - 1] + "…"


def _made_with(runs: Sequence[Record]) -> dict[str, Counter[str]]:
    """Versions, commit and machine, where they are not the same for all; runs that do not say count as a dash."""
    counts: dict[str, Counter[str]] = {}
    facts = [_environment(one) for one in runs]
    for key in dict.fromkeys(key for one in facts for key in one):
        found = Counter(one.get(key, "–") for one in facts)
        if len(found) > 1:
            counts[key] = found
    return counts


def _environment(record: Record) -> dict[str, str]:
    try:
        found: Mapping[str, Any] = json.loads((record.folder / "environment.json").read_text(encoding="utf-8"))
        versions = found.get("versions") or {}
        pairs = [*versions.items(), *((key, found[key]) for key in _MADE_WITH if key in found)]
    except (OSError, ValueError, AttributeError):
        return {}
    return {key: str(value)[:12] if key in ("commit", "source_digest") else str(value) for key, value in pairs}

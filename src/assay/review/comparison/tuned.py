"""Cells that were tuned before their seeds ran: what was tried, what was chosen, and whether it lies at an edge."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.lifecycle.records import Record, natural
from assay.review import numerals
from assay.review.comparison.ranked import Ranked
from assay.review.comparison.search import point_of
from assay.review.comparison.tree import Tree
from assay.review.html import Child, Html, tag
from assay.review.page import row_head, table
from assay.sweeps.search.ranges import is_edge

_ROWS = 60
_SHOWN = 16  # values of one cell


@dataclass(frozen=True)
class Tuning:
    """Of one cell and key.

    Attributes:
        tried: value -> the monitored metric of its trial; None where it came to nothing.
        chosen: what the cell's seeds ran with; None where nothing came of any trial.
    """

    cell: str
    key: str
    tried: dict[str, float | None]
    chosen: str | None

    @property
    def edge(self) -> str:
        return is_edge(self.chosen, list(self.tried)) if self.chosen is not None else ""


def tuned(tree: Tree, group: Ranked) -> list[Html]:
    """Empty where no cell was tuned."""
    found = tunings(tree, group)
    if not found:
        return []
    edges = [one for one in found if one.edge]
    told = f"{numerals.count(len({one.cell for one in found}), 'cell')} tuned by {group.metric} before their seeds ran."
    if edges:
        told += (
            f" {numerals.count(len(edges), 'chosen value')} at the end of what was tried: a better one may lie beyond."
        )
    rows = []
    for one in found[:_ROWS]:
        note = f"the {one.edge} tried" if one.edge else None
        chosen = tag("td", tag("code", one.chosen or "none"), tag("span", note, class_="small wins") if note else None)
        rows.append([row_head(tag("code", one.cell)), tag("td", one.key), chosen, tag("td", _tried(one))])
    left = f"{_ROWS} of {len(found)} are shown." if len(found) > _ROWS else None
    head = ["cell", "key", "chosen", f"tried, and {group.metric} with it"]
    return [tag("p", told), table(head, rows, caption=left, label="tuned values")]


def tunings(tree: Tree, group: Ranked) -> list[Tuning]:
    """By cell and key, from what each job's folder says of its point."""
    members: dict[str, list[tuple[Record, str]]] = defaultdict(list)
    for one in tree.records:
        point = point_of(one)
        if point.get("role") in ("tune", "point") and str(one.switches.get("data")) == group.group.data:
            cell = " ".join(f"{key}={value}" for key, value in (point.get("cell") or {}).items())
            members[cell or "all runs"].append((one, point["role"]))
    found = []
    for cell, runs in members.items():
        trials = [one for one, role in runs if role == "tune"]
        settings = {one.folder: _typed(one) for one, _ in runs}
        for key in _varied([settings[one.folder] for one in trials]):
            tried = {settings[one.folder].get(key, "–"): _score(one, group.metric) for one in trials}
            points = [settings[one.folder].get(key) for one, role in runs if role == "point"]
            chosen = points[0] if points else _best(tried, group.group.mode)
            ordered = dict(sorted(tried.items(), key=lambda pair: natural(pair[0])))
            found.append(Tuning(cell, key, ordered, chosen))
    return found


def _varied(trials: Sequence[Mapping[str, str]]) -> list[str]:
    keys = dict.fromkeys(key for one in trials for key in one)
    return [key for key in keys if len({one.get(key) for one in trials}) > 1]


def _typed(record: Record) -> dict[str, str]:
    pairs = (override.partition("=") for override in record.overrides)
    return {key.lstrip("+"): value for key, sign, value in pairs if sign and key not in ("seed", "fold", "name")}


def _score(record: Record, metric: str) -> float | None:
    value = record.summary.get(metric) if record.status == "done" else None
    return float(value) if isinstance(value, int | float) else None


def _best(tried: Mapping[str, float | None], mode: str) -> str | None:
    known = {value: score for value, score in tried.items() if score is not None}
    if not known:
        return None
    return (min if mode == "min" else max)(known, key=lambda value: known[value])


def _tried(one: Tuning) -> list[Child]:
    shown: list[Child] = []
    for value, score in list(one.tried.items())[:_SHOWN]:
        text = f"{value} {numerals.score(score) if score is not None else 'failed'}"
        shown += [" · " if shown else "", tag("strong", text) if value == one.chosen else text]
    return shown

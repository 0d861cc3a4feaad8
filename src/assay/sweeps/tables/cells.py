"""From runs to cells: a cell holds the runs that differ in seed and fold alone, a group the cells that can be compared.

Runs come from anywhere: a sweep's folder, several of them, moved ones. What two runs have in common is read from their
resolved configs and their data, not from where they lie or how they were typed. What is left apart is said, with the
reason. Imports nothing heavy.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from assay.lifecycle.records import Record, natural
from assay.lifecycle.where import shown
from assay.sweeps.tables.comparable import Facts, Ground, counts, facts

Apart = list[tuple[Record, str]]
"""Runs that enter no table, each with the reason."""


@dataclass
class Cell:
    """Runs with one config, seed and fold apart.

    Attributes:
        settings: of the keys that vary within the group, in the order of :attr:`Group.varied`; without those that this
            cell's options do not have.
        runs: by seed and fold; one of each.
    """

    settings: dict[str, str]
    runs: list[Record]

    def scores(self, metric: str) -> list[tuple[int, int | None, float]]:
        """(seed, fold, value) of the runs that have a finite one."""
        having = [one for one in self.runs if _is_finite(one.summary.get(metric))]
        return [(*place(one), float(one.summary[metric])) for one in having]

    def without(self, metric: str) -> list[Record]:
        """The runs whose value is missing or not finite: they are in no mean."""
        return [one for one in self.runs if not _is_finite(one.summary.get(metric))]

    @property
    def name(self) -> str:
        return " ".join(f"{key}={value}" for key, value in self.settings.items()) or "all runs"


@dataclass
class Group:
    """Cells whose scores can be compared: the same data, split and monitored metric.

    Attributes:
        data: the option.
        digest: of its contents.
        metric: the monitored one, of the validation split.
        mode: of it, min or max.
        varied: the keys in which cells differ: switches and typed keys; where those do not tell two cells apart, also
            what an option chose, and last any key of the config.
        fixed: what was typed, with one value for all.
        followed: switches that vary too, but that nobody typed: another option chose them.
        split: how the data were cut, as keys and values; ``val`` and ``test`` are numbers of examples.
        notes: in what the runs differ besides, each a sentence.
    """

    data: str
    digest: str
    metric: str
    mode: str
    varied: list[str]
    cells: list[Cell]
    fixed: dict[str, str]
    followed: list[str] = field(default_factory=list)
    split: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def runs(self) -> list[Record]:
        return [one for cell in self.cells for one in cell.runs]

    @property
    def folds(self) -> int | None:
        """The number of folds the data were cut into; None: they were not."""
        return int(self.split["data.folds"]) if "data.folds" in self.split else None

    def metrics(self) -> list[str]:
        """What its runs were scored by: the monitored metric, test metrics (the monitored one's first), others."""
        main = f"test/{self.metric.partition('/')[2]}"
        known = dict.fromkeys(
            key
            for one in self.runs
            for key, value in one.summary.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        )
        tests = [key for key in known if key.startswith("test/")]
        ranked = [self.metric, *sorted(tests, key=lambda key: key != main), *known]
        return list(dict.fromkeys(key for key in ranked if key in known))


def groups(records: Sequence[Record]) -> tuple[list[Group], Apart]:
    """The comparable groups among runs, the largest first, and the runs that enter none.

    Left apart: what is not done; rehearsals (``debug=``); stages of a loop over runs; trials that tuned a cell, but for
    those of the values then chosen; an older run with the same settings, seed and fold as another.
    """
    apart: Apart = []
    known: list[tuple[Record, Facts]] = []
    for one in records:
        found = facts(one)
        if isinstance(found, str):
            apart.append((one, found))
        else:
            known.append((one, found))
    points = {(found.ground.key, found.settings) for _, found in known if found.role != "tune"}
    grounds: dict[tuple, list[tuple[Record, Facts]]] = defaultdict(list)
    for one, found in known:
        if found.role == "tune" and (found.ground.key, found.settings) not in points:
            apart.append((one, "tuned its cell, whose runs have another value"))
        else:
            grounds[found.ground.key].append((one, found))
    made = [_group(runs, apart) for runs in grounds.values()]
    return sorted(made, key=lambda group: -len(group.runs)), apart


def place(record: Record) -> tuple[int, int | None]:
    """(seed, fold): by it the runs of two cells are paired."""
    fold = record.config("fold")[1]
    return int(record.seed or 0), None if fold is None else int(fold)


def _group(runs: Sequence[tuple[Record, Facts]], apart: Apart) -> Group:
    ground: Ground = runs[0][1].ground
    by_settings: dict[frozenset, list[tuple[Record, Facts]]] = defaultdict(list)
    for one, found in runs:
        by_settings[found.settings].append((one, found))
    kept: list[tuple[frozenset, list[Record]]] = []
    for settings, members in by_settings.items():
        kept.append((settings, _once([one for one, _ in members], apart)))
    there = {one.folder for _, members in kept for one in members}
    firsts = [members[0] for _, members in kept]
    typed = _typed(one for _, members in kept for one in members)
    varied, followed = _telling(firsts, [settings for settings, _ in kept], typed)
    cells = [Cell(_settings(members[0], varied), members) for _, members in kept]
    cells.sort(key=lambda cell: [natural(cell.settings.get(key, "")) for key in varied])
    return Group(
        ground.data,
        ground.digest,
        ground.metric,
        ground.mode,
        varied,
        cells,
        {key: value for key in typed if key not in varied for value in [_one_value(firsts, key)] if value is not None},
        followed,
        dict(ground.split),
        list(_notes([found for one, found in runs if one.folder in there])),
    )


def _once(runs: Sequence[Record], apart: Apart) -> list[Record]:
    """One run of each seed and fold, the newest; the others would count the same thing twice."""
    newest: dict[tuple[int, int | None], Record] = {}
    for one in sorted(runs, key=lambda run: run.began):
        where = place(one)
        if where in newest:
            apart.append((newest[where], "has the settings, seed and fold of a newer one"))
        newest[where] = one
    return [newest[where] for where in sorted(newest, key=lambda pair: (pair[0], -1 if pair[1] is None else pair[1]))]


def _typed(runs: Iterable[Record]) -> list[str]:
    """Switches and keys that somebody typed and that decide a result, in the order of their first use."""
    keys = (override.partition("=")[0].lstrip("+~").partition("@")[0] for one in runs for override in one.overrides)
    return [key for key in dict.fromkeys(keys) if counts(key)]


def _telling(
    firsts: Sequence[Record], settings: Sequence[frozenset], typed: Sequence[str]
) -> tuple[list[str], list[str]]:
    """The keys by which cells are told apart, and the switches that vary beside them.

    First those that were typed and vary; then, only while two cells still look the same, switches that options chose,
    and keys of the config.
    """
    varied = [key for key in typed if len({_text(one, key) for one in firsts}) > 1]
    switches = [key for key in dict.fromkeys(key for one in firsts for key in one.switches) if counts(key)]
    others = [key for key in switches if key not in varied and len({_text(one, key) for one in firsts}) > 1]
    seen = Counter(key for one in settings for key, _ in one)
    shared = Counter(pair for one in settings for pair in one)
    loose = dict.fromkeys(
        key for one in settings for key, value in sorted(one) if shared[key, value] < len(settings) and key[0] != "="
    )
    added = list(varied)
    for key in (*others, *sorted(loose, key=lambda name: -seen[name])):
        looks = [tuple(_text(one, name) for name in added) for one in firsts]
        if len(set(looks)) == len(firsts):
            break
        if len({(*look, _text(one, key)) for look, one in zip(looks, firsts, strict=True)}) > len(set(looks)):
            added.append(key)
    return added, [key for key in others if key not in added]


def _text(record: Record, key: str) -> str | None:
    """The value of a switch, or of a key of the config, as it would be typed; None where there is no such key."""
    if key in record.switches:
        return shown(record.switches[key])
    there, value = record.config(key)
    return shown(value) if there else None


def _settings(record: Record, varied: Sequence[str]) -> dict[str, str]:
    found = ((key, _text(record, key)) for key in varied)
    return {key: value for key, value in found if value is not None}


def _one_value(firsts: Sequence[Record], key: str) -> str | None:
    values = {_text(one, key) for one in firsts}
    return values.pop() if len(values) == 1 else None


def _notes(found: Sequence[Facts]) -> Iterator[str]:
    for what, values in (
        ("were made by different versions", {one.versions for one in found if one.versions}),
        ("were trained for different numbers of epochs", {one.epochs for one in found if one.epochs}),
    ):
        if len(values) > 1:
            yield f"Runs {what}: {' · '.join(sorted(values, key=natural))}."
    if any(one.role == "tune" for one in found):
        yield "Some runs also tuned their cell: their validation scores chose its value, and are flattered by that."
    sources = {one.source for one in found if one.source}
    if len(sources) > 1:
        yield f"Runs were made by {len(sources)} states of the source code, which may differ in what they compute."


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

"""Which switch mattered: for each, the runs of each value, and what changed where it alone was changed.

Runs are matched: two of the same seed and fold whose settings differ in one switch and in nothing else. Differences of
one context (the settings of everything else) are averaged first, since they share what is special to it, and contexts
are the units of the interval: no run is in two of them. Where there are fewer contexts than seeds, differences are
averaged over the contexts instead, seed by seed, and the seeds are the units (folds: corrected as in
:mod:`assay.sweeps.tables.statistics`); the interval is then of these contexts alone. Intervals are of each difference
by itself: of twenty, one is expected to leave zero out by chance.

Switches that always changed together cannot be told apart, and are one. What an option chose by itself, nobody having
typed it, belongs to the option. The keys of a switch (``optim.lr`` of ``optim``) are held equal where that leaves
pairs; where it leaves none, as in cells that were tuned one by one, they are part of it. Both are told as ``along``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from assay.lifecycle.records import Record, natural
from assay.lifecycle.where import shown
from assay.screens import pasted
from assay.sweeps.tables.cells import Cell, Group
from assay.sweeps.tables.statistics import Estimate, Score, estimate, paired

ABSENT = "–"
"""The value of a key that a cell's options do not have."""

Settings = Mapping[str, str]
Contexts = dict[tuple[str, ...], dict[str, list[Cell]]]
"""{settings of everything else: {value of the switch: cells}}."""


@dataclass(frozen=True)
class Contrast:
    """What changed from one value to another.

    Attributes:
        difference: of the metric, second minus first; ``units`` and ``over`` say what the interval is of (contexts,
            seeds or folds), ``count`` how many pairs of runs there are.
        contexts: in how many settings of everything else there are pairs.
    """

    first: str
    second: str
    difference: Estimate
    contexts: int

    @property
    def differs(self) -> bool:
        """Whether its interval leaves zero out."""
        found = self.difference
        return found.half is not None and abs(found.mean) > found.half


@dataclass(frozen=True)
class Effect:
    """One switch or key; several that always changed together.

    Attributes:
        keys: one, or those that nobody can tell apart.
        runs: {value: number of runs}; values of several keys are joined by a blank.
        along: other keys that changed in some of the pairs, as the module says.
        contrasts: of the commonest value with each other that it has pairs with, the largest first; empty: the switch
            never varied alone.
        command: the command that would tell; empty where pairs tell already.
    """

    keys: tuple[str, ...]
    runs: dict[str, int]
    along: tuple[str, ...]
    contrasts: list[Contrast]
    command: str

    @property
    def name(self) -> str:
        return " + ".join(self.keys)

    @property
    def size(self) -> float:
        """The largest difference, whatever its sign."""
        return max((abs(one.difference.mean) for one in self.contrasts), default=0.0)


def effects(group: Group, metric: str | None = None) -> list[Effect]:
    """What each switch did, the one with the largest difference first; those that never varied alone last.

    Args:
        metric: without: the monitored one, by which one may choose.
    """
    metric = metric or group.metric
    cells = [cell for cell in group.cells if cell.scores(metric)]
    settings = {id(cell): _settings(cell, group) for cell in cells}
    together = _together([settings[id(cell)] for cell in cells], group.varied)
    found = [_effect(group, metric, cells, settings, keys, together) for keys in together]
    return sorted(found, key=lambda one: (not one.contrasts, -one.size, one.keys))


def sentence(effect: Effect, metric: str) -> str:
    """An effect in one line of plain text."""
    many = len(effect.keys) > 1
    start = f"{effect.name} ({'always changed together' if many else f'{sum(effect.runs.values())} runs'})"
    if not effect.contrasts:
        return f"{effect.name}: never varied alone; {effect.command} would tell"
    said = [
        f"{one.second} instead of {one.first} {one.difference.mean:+.4g}"
        + (f" ± {one.difference.half:.2g}" if one.difference.half is not None else "")
        + f" ({one.difference.count} pair{'s' * (one.difference.count > 1)})"
        for one in effect.contrasts
    ]
    along = f"; {', '.join(effect.along)} changed with it" if effect.along else ""
    return f"{start}: {metric} {', '.join(said)}{along}"


def _settings(cell: Cell, group: Group) -> dict[str, str]:
    """Of every key that varies; what options chose included."""
    found = {key: cell.settings.get(key, ABSENT) for key in group.varied}
    return found | {key: shown(cell.runs[0].switches.get(key, ABSENT)) for key in group.followed}


def _together(settings: Sequence[Settings], keys: Sequence[str]) -> list[tuple[str, ...]]:
    """The keys in sets that divide the cells alike: each value of one came with one value of the other."""
    by_division: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for key in keys:
        order = {value: place for place, value in enumerate(dict.fromkeys(one[key] for one in settings))}
        if len(order) > 1:
            by_division[tuple(order[one[key]] for one in settings)].append(key)
    return [tuple(members) for members in by_division.values()]


def _effect(
    group: Group,
    metric: str,
    cells: Sequence[Cell],
    settings: Mapping[int, Settings],
    keys: tuple[str, ...],
    together: Sequence[tuple[str, ...]],
) -> Effect:
    runs: dict[str, int] = defaultdict(int)
    for cell in cells:
        runs[_value(settings[id(cell)], keys)] += len(cell.scores(metric))
    others = [key for key in group.varied if key not in keys]
    loose = [key for key in others if any(key.startswith(f"{own}.") for own in keys)]
    contrasts: list[Contrast] = []
    contexts: Contexts = {}
    for free in ([], loose) if loose else ([],):
        contexts = _contexts(cells, settings, keys, [key for key in others if key not in free])
        contrasts = _contrasts(contexts, runs, group, metric)
        if contrasts:
            break
    values = sorted(runs, key=natural)
    command = ""
    if not contrasts or len(keys) > 1:
        command = _command(group, cells, keys, settings)
    along = tuple(_along(contexts, settings, [*loose, *group.followed])) if contrasts else ()
    return Effect(keys, {value: runs[value] for value in values}, along, contrasts, command)


def _contexts(
    cells: Sequence[Cell], settings: Mapping[int, Settings], keys: Sequence[str], held: Sequence[str]
) -> Contexts:
    found: Contexts = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        own = settings[id(cell)]
        found[tuple(own[key] for key in held)][_value(own, keys)].append(cell)
    return {context: dict(values) for context, values in found.items() if len(values) > 1}


def _value(settings: Settings, keys: Sequence[str]) -> str:
    return " ".join(settings[key] for key in keys)


def _contrasts(contexts: Contexts, runs: Mapping[str, int], group: Group, metric: str) -> list[Contrast]:
    """Of the value with the most runs (of equals: ``none``, else the first) with every other."""
    first = min(runs, key=lambda value: (-runs[value], value != "none", natural(value)))
    made = []
    for second in runs:
        if second != first:
            pairs = [found for values in contexts.values() if (found := _pairs(values, first, second, metric))]
            if pairs:
                made.append(Contrast(first, second, _averaged(pairs, group.folds), len(pairs)))
    return sorted(made, key=lambda one: -abs(one.difference.mean))


def _pairs(values: Mapping[str, list[Cell]], first: str, second: str, metric: str) -> list[Score]:
    """The differences of one context; where keys of the switch vary too, of the means over them."""
    if first not in values or second not in values:
        return []
    return paired(_mean_of(values[second], metric), _mean_of(values[first], metric))


def _mean_of(cells: Sequence[Cell], metric: str) -> list[Score]:
    scores: dict[tuple[int, int | None], list[float]] = defaultdict(list)
    for cell in cells:
        for seed, fold, value in cell.scores(metric):
            scores[seed, fold].append(value)
    return [(seed, fold, fmean(values)) for (seed, fold), values in scores.items()]


def _averaged(contexts: Sequence[Sequence[Score]], folds: int | None) -> Estimate:
    """The mean difference; see the module for what its interval is of."""
    count = sum(map(len, contexts))
    places = set.intersection(*({(seed, fold) for seed, fold, _ in pairs} for pairs in contexts))
    by_place = {
        place: [d for pairs in contexts for seed, fold, d in pairs if (seed, fold) == place] for place in places
    }
    by_seed = estimate([(*place, fmean(values)) for place, values in by_place.items()], folds)
    by_context = estimate(
        [(number, None, fmean(d for _, _, d in pairs)) for number, pairs in enumerate(contexts)], None
    )
    assert by_context is not None
    if by_seed is not None and by_seed.units > by_context.units:
        return replace(by_seed, count=count)
    return replace(by_context, count=count, over="contexts")


def _along(contexts: Contexts, settings: Mapping[int, Settings], keys: Sequence[str]) -> Iterator[str]:
    """Those of the keys that have several values within one context."""
    for key in keys:
        if any(
            len({settings[id(cell)][key] for cells in values.values() for cell in cells}) > 1
            for values in contexts.values()
        ):
            yield key


def _command(group: Group, cells: Sequence[Cell], keys: tuple[str, ...], settings: Mapping[int, Settings]) -> str:
    """What would tell: the keys crossed with one another, at the settings of the best cell by the monitored metric."""
    means = [(found.mean, cell) for cell in cells if (found := estimate(cell.scores(group.metric), group.folds))]
    sign = -1 if group.mode == "max" else 1
    best = min(means, key=lambda one: sign * one[0])[1] if means else cells[0]
    swept = []
    for key in keys:
        typed = {settings[id(cell)][key]: _typed(cell.runs[0], key, settings[id(cell)][key]) for cell in cells}
        values = [typed[value] for value in sorted(typed, key=natural) if value != ABSENT]
        swept.append(f"{key}={','.join(values)}")
    belong = tuple(f"{key}." for key in keys)
    fixed = [*group.fixed, *(key for key in group.varied if key in best.settings and key not in keys)]
    held = [
        f"{key}={_typed(best.runs[0], key, group.fixed.get(key) or best.settings[key])}"
        for key in fixed
        if not key.startswith(belong)
    ]
    seeds = max(3, max(len({run.seed for run in cell.runs}) for cell in cells))
    folds = [f"folds={group.folds}"] if group.folds else []
    return " ".join(["assay train -m", *map(pasted, (*held, *swept)), f"seeds={seeds}", *folds])


def _typed(record: Record, key: str, otherwise: str) -> str:
    """The value as somebody typed it, in Hydra's quotes if it had any."""
    for override in record.overrides:
        name, sign, value = override.partition("=")
        if sign and name.lstrip("+~").partition("@")[0] == key:
            return value
    return otherwise

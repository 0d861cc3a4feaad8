"""``sweep.tune=[optim.lr]``: every cell of a grid finds its own value of a key before its seeds run.

``optim=sgd,adam`` with one learning rate for both compares rates, not optimisers. The values are those of
:mod:`assay.sweeps.search.ranges`, chosen by the monitored metric of the validation split, of the cell's first seed and
fold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from assay.composition.spaces import Dimension
from assay.composition.values import select
from assay.errors import ConfigError
from assay.sweeps.ledger.ledger import Entry, Ledger, Planned
from assay.sweeps.search import ranges
from assay.sweeps.search.objective import has_diverged, mode_of, score_of
from assay.sweeps.strategy import Compose, Offers


@dataclass
class Cell:
    """What a cell tries, and what its seeds then run with.

    Attributes:
        points: its runs without tuning, one for each seed and fold.
        values: {key: text} of each trial.
        plans: the runs of the trials.
        trials: their numbers.
        chosen: which of the values.
        numbers: of its runs, once they are planned.
        over: the trials have ended.
        default: which of the values are the cell's own; None where they lie outside their ranges.
        typed: keys whose range the command names.
    """

    points: list[Planned]
    values: list[dict[str, str]] = field(default_factory=list)
    plans: list[Planned] = field(default_factory=list)
    trials: list[int] = field(default_factory=list)
    chosen: int | None = None
    numbers: list[int] = field(default_factory=list)
    default: int | None = None
    typed: frozenset[str] = frozenset()
    over: bool = False

    @property
    def label(self) -> str:
        return " ".join(f"{key}={value}" for key, value in self.points[0].cell.items()) or "all runs"


class Tuned:
    """A grid whose cells are tuned first.

    A trial is a run of the cell's first seed and fold; the one with the chosen value is that seed's run as well. A
    trial whose loss is not finite has answered, and is no failure.

    Args:
        points: of the grid, without the tuned keys' ranges.
        keys: what is tuned.
        trials: values that each cell tries.
        dimensions: the ranges that the command names; of a key without one, around the cell's own value.
        compose: see :data:`assay.sweeps.strategy.Compose`.
    """

    def __init__(
        self,
        points: Sequence[Planned],
        keys: Sequence[str],
        trials: int,
        dimensions: Sequence[Dimension],
        compose: Compose,
    ) -> None:
        self.keys, self.count = list(keys), trials
        self.dimensions = list(dimensions)
        self.compose = compose
        cells: dict[tuple[tuple[str, str], ...], list[Planned]] = {}
        for point in points:
            cells.setdefault(tuple(point.cell.items()), []).append(point)
        self.cells = [Cell(members) for members in cells.values()]
        self.offers = Offers()
        self.notes: list[str] = []

    @property
    def runs(self) -> int:
        return sum(len(cell.values) + len(cell.points) - bool(cell.values) for cell in self.cells)

    def begin(self, ledger: Ledger) -> None:
        self.ledger = ledger
        refused: dict[str, None] = {}
        for cell in self.cells:
            try:
                self._prepare(cell)
            except ConfigError as error:
                refused[str(error)] = None
        found = {key for cell in self.cells for values in cell.values for key in values}
        refused |= {f"sweep.tune=[{key}]: no point has this key": None for key in self.keys if key not in found}
        if refused:
            raise ConfigError("\n".join(refused))
        for cell in self.cells:
            cell.trials = [entry.number for entry in ledger.plan(cell.plans)]

    def _prepare(self, cell: Cell) -> None:
        """What a cell tries. A value beyond what its option allows is left out of a range that nobody named."""
        first = cell.points[0]
        ordered = sorted(self.dimensions, key=lambda one: bool(one.condition[0]))  # of this option's own, the last say
        ranged = {one.plain: one for one in ordered if _holds(one, first)}
        keys: dict[str, tuple[Dimension | None, Any]] = {}
        for key in self.keys:
            there, default = select(first.config, key)
            if there:
                keys[key] = ranged.get(key), default
        cell.typed = frozenset(ranged)
        dropped = []
        for values in ranges.candidates(keys, self.count) if keys else ():
            texts = {key: _text(value, keys[key][1]) for key, value in values.items()}
            try:
                cell.plans.append(self._planned(first, texts, "tune"))
            except ConfigError as error:
                if cell.typed & keys.keys():
                    raise
                dropped.append((texts, error))
                continue
            if all(_same(texts[key], default) for key, (_, default) in keys.items()):
                cell.default = len(cell.values)
            cell.values.append(texts)
        if dropped and len(cell.values) < 2:
            raise ConfigError(f"{cell.label}: no range lies around its value: {dropped[0][1]}")
        for texts, _ in dropped:
            self.notes.append(f"{cell.label}: {_shown(texts)} is not possible, and was left out")

    def _planned(self, point: Planned, texts: Mapping[str, str], role: str) -> Planned:
        kept = [one for one in point.overrides if one.lstrip("+").partition("=")[0] not in texts]
        (made,) = self.compose([*kept, *(f"{key}={text}" for key, text in texts.items())])
        return replace(made, cell=point.cell, role=role)

    def more(self, ledger: Ledger, free: int) -> list[Entry]:
        found: list[Entry] = []
        for cell in self.cells:
            self._choose(cell, ledger)
        for cell in self.cells:
            if len(found) < free:
                found += self.offers.among(ledger, [*cell.trials, *cell.numbers], free - len(found))
        return found

    def _choose(self, cell: Cell, ledger: Ledger) -> None:
        """Plans a cell's runs once its trials have ended."""
        if cell.over:
            return
        entries = [ledger.entry(number) for number in cell.trials]
        if not all(map(self.offers.ended, entries)):
            return
        cell.over = True
        sign = 1 if mode_of(cell.points[0].config) == "max" else -1
        scores = {place: sign * score for place, one in enumerate(entries) if (score := score_of(one)) is not None}
        if entries and not scores:
            return
        texts: dict[str, str] = {}
        if scores:
            tied = [place for place, score in scores.items() if score == max(scores.values())]
            cell.chosen = cell.default if cell.default in tied else tied[len(tied) // 2]  # the middle: not at an edge
            texts = cell.values[cell.chosen]
        planned = [self._planned(point, texts, "point") if texts else point for point in cell.points]
        cell.numbers = [entry.number for entry in ledger.plan(planned)]

    def told(self, entry: Entry) -> None:
        """A trial whose loss is not finite is entered as one that was given up."""
        if entry.role == "tune" and has_diverged(entry):
            self.ledger.finish(entry.number, "pruned", reason=entry.reason, seconds=entry.seconds)

    def finished(self, ledger: Ledger) -> bool:
        for cell in self.cells:
            self._choose(cell, ledger)
        wanted = {number for cell in self.cells for number in cell.numbers}
        return all(cell.over for cell in self.cells) and all(
            self.offers.ended(entry) for entry in ledger.entries() if entry.number in wanted
        )

    def lines(self, ledger: Ledger) -> list[str]:
        """The value of each cell, a warning where it lies at the edge of its range, and what tuning changed."""
        from assay.sweeps.search.tuned_words import lines

        return [*self.notes, *lines(self.cells, ledger)]


def _holds(one: Dimension, point: Planned) -> bool:
    """Whether a range is of this cell: ``momentum.optim.lr`` is of those with optim=momentum."""
    group, option = one.condition
    return not group or point.config["switches"].get(group) == option


def _text(value: Any, default: Any) -> str:
    """As typed: six digits, and a cell's own value exactly."""
    if isinstance(value, float):
        return repr(value) if value == default else f"{value:.6g}"
    return str(value)


def _same(text: str, default: Any) -> bool:
    try:
        return float(text) == float(default)
    except (TypeError, ValueError):
        return text == str(default).lower() or text == str(default)


def _shown(texts: Mapping[str, str]) -> str:
    return " ".join(f"{key}={text}" for key, text in texts.items())

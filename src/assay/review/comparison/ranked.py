"""The cells of one group in the order of their validation scores, and what can be said of the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from assay.review import numerals
from assay.review.effects import Effect, effects
from assay.screens import lower_is_better
from assay.sweeps.tables.cells import Cell, Group
from assay.sweeps.tables.comparison import Comparison, against
from assay.sweeps.tables.statistics import Estimate, estimate


@dataclass(frozen=True)
class Ranked:
    """One group, made ready for its sections.

    Attributes:
        cells: the best first, by the mean of the monitored metric; those without a score last.
        scores, tests: of each cell, on the validation and the test split; None where it has none.
        test_metric: the monitored one's name on the test split; empty where nothing was tested.
        baseline: the place of the cell that all are compared with.
        mark: what tells its anchors from those of other groups.
    """

    group: Group
    cells: list[Cell]
    scores: list[Estimate | None]
    tests: list[Estimate | None]
    test_metric: str
    baseline: int = 0
    mark: str = ""

    @property
    def metric(self) -> str:
        return self.group.metric

    @property
    def scored(self) -> int:
        """How many cells have a score: they come first."""
        return sum(one is not None for one in self.scores)

    @property
    def seeds(self) -> int:
        """Of the cell with most runs."""
        return max((len(cell.runs) for cell in self.cells), default=0)

    @property
    def compared_by(self) -> str:
        """The metric of differences: validation chose the best epoch and the first cell, so the test split says how far
        it is ahead; the monitored metric where nothing was tested."""
        return self.test_metric or self.metric

    @property
    def lower(self) -> bool:
        """Whether less of it is better."""
        return self.group.mode == "min" if self.compared_by == self.metric else lower_is_better(self.compared_by)

    @cached_property
    def to_best(self) -> list[Comparison | None]:
        """Every cell against the first."""
        return self.compared(0)

    def compared(self, baseline: int) -> list[Comparison | None]:
        """Every cell against one of them, p corrected over all."""
        values = [cell.scores(self.compared_by) for cell in self.cells]
        others = [[] if place == baseline else one for place, one in enumerate(values)]
        return against(others, values[baseline], self.group.folds)

    @cached_property
    def effects(self) -> list[Effect]:
        """What each switch did, the one that did most first."""
        return effects(self.group)

    @property
    def tied(self) -> int:
        """How many cells cannot be told from the first."""
        return sum(one is not None and one.p is not None and not one.differs for one in self.to_best)


def ranked(group: Group, baseline: Cell | None = None, mark: str = "") -> Ranked:
    """Orders a group's cells. ``baseline``: to compare with, instead of the first."""
    sign = -1 if group.mode == "max" else 1
    found = [(cell, estimate(cell.scores(group.metric), group.folds)) for cell in group.cells]
    found.sort(key=lambda pair: (pair[1] is None, sign * pair[1].mean if pair[1] else 0.0))
    metric = f"test/{group.metric.partition('/')[2]}"
    if metric not in group.metrics():
        metric = next((name for name in group.metrics() if name.startswith("test/")), "")
    tests = [estimate(cell.scores(metric), group.folds) if metric else None for cell, _ in found]
    cells = [cell for cell, _ in found]
    place = next((number for number, cell in enumerate(cells) if cell is baseline), 0)
    return Ranked(group, cells, [one for _, one in found], tests, metric, place, mark)


def told(found: Estimate | None) -> str:
    """``0.9412 ± 0.0031``."""
    if found is None:
        return numerals.score(None)
    return numerals.score(found.mean) + ("" if found.half is None else f" ± {plus_minus(found.half)}")


def plus_minus(half: float) -> str:
    """Half an interval, with as many digits as a score has."""
    return f"{half:.4f}" if half < 10 else f"{half:.4g}"


def gap(mean: float, *, sign: bool = False) -> str:
    """A difference of scores, with as many digits as a score has."""
    text = f"{mean:{'+' if sign else ''}.4f}" if abs(mean) < 10 else f"{mean:{'+' if sign else ''}.4g}"
    return text.replace("-", "−")


def better(lower: bool) -> str:
    return "lower is better" if lower else "higher is better"


def p_told(p: float | None) -> str:
    """A probability as it is printed: never 0."""
    return numerals.score(None) if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def names(cells: Sequence[Cell]) -> tuple[str, list[str]]:
    """(what some cells share, each cell's name without it)."""
    first = cells[0]
    if len(cells) < 2:
        return "", [first.name]
    shared = {
        key: value for key, value in first.settings.items() if all(one.settings.get(key) == value for one in cells)
    }
    short = [
        " ".join(f"{key}={value}" for key, value in one.settings.items() if key not in shared) or "–" for one in cells
    ]
    return " ".join(f"{key}={value}" for key, value in shared.items()), short

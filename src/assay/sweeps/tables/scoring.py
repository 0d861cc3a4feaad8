"""A group of cells as the rows of a table: ordered by validation, compared in pairs, and what has to be said of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from assay.errors import ConfigError
from assay.screens import lower_is_better
from assay.sweeps.tables.cells import Cell, Group
from assay.sweeps.tables.comparison import Comparison, against
from assay.sweeps.tables.statistics import Estimate, estimate

FIRST = "the first row"


@dataclass
class Row:
    """One cell.

    Attributes:
        watched: of the monitored metric, which orders.
        score: of the table's metric; None where no run has it.
        versus: against the baseline; None for that itself, and where they share no seed and fold.
        best: the first row, where it is ahead of all others beyond chance.
    """

    cell: Cell
    watched: Estimate | None
    score: Estimate | None
    versus: Comparison | None = None
    best: bool = False


@dataclass
class Table:
    """The rows of one group and metric.

    Attributes:
        baseline: the cell that others are compared with: the named one, or the first row's.
        named: whether it was named.
        notes: on the order, the intervals and the runs, sentences.
        versus: on the differences.
        verdict: whether the best one is bold, and why.
    """

    group: Group
    metric: str
    rows: list[Row]
    baseline: Cell
    named: bool
    notes: list[str] = field(default_factory=list)
    versus: list[str] = field(default_factory=list)
    verdict: list[str] = field(default_factory=list)

    @property
    def higher(self) -> bool:
        """Whether more of the metric is better."""
        return higher(self.group, self.metric)


def table_of(group: Group, metric: str, baseline: Cell | None) -> Table:
    """The table of a group: rows by the mean of the monitored metric, best first, which never is a test metric.

    Args:
        baseline: to compare with; None: the first row.
    """
    rows = [_row(group, cell, metric) for cell in group.cells]
    sign = -1 if group.mode == "max" else 1
    rows.sort(key=lambda row: (row.watched is None, sign * row.watched.mean if row.watched else 0.0))
    chosen = baseline or rows[0].cell
    _compare(rows, chosen, metric, group.folds)
    table = Table(group, metric, rows, chosen, baseline is not None)
    rows[0].best = _is_ahead(table)
    table.notes, table.versus = list(_notes(table)), list(_on_differences(table))
    table.verdict = [_on_best(table)] if len(rows) > 1 else []
    return table


def metric_of(group: Group, asked: str | None) -> str | None:
    """The metric of a table: the monitored one on the test split, else the monitored one; ``accuracy`` is
    ``test/accuracy``. None where no run of the group has what was asked for."""
    known = group.metrics()
    if asked is None:
        main = f"test/{group.metric.partition('/')[2]}"
        return main if main in known else group.metric
    return next((name for name in (asked, f"test/{asked}") if name in known), None)


def higher(group: Group, metric: str) -> bool:
    return group.mode == "max" if metric == group.metric else not lower_is_better(metric)


def find_cell(group: Group, text: str) -> Cell | None:
    """The one cell that ``key=value,key=value`` describes; None where none is so.

    Raises:
        ConfigError: it is no such list, or several cells are so.
    """
    wanted = conditions(text)
    found = [cell for cell in group.cells if all(_has(group, cell, key, value) for key, value in wanted.items())]
    if len(found) > 1:
        open_keys = [key for key in group.varied if key not in wanted and len({_of(one, key) for one in found}) > 1]
        raise ConfigError(
            f"--baseline {text} is {len(found)} cells; say also {', '.join(open_keys)}, as "
            f"{','.join(f'{key}={_of(found[0], key)}' for key in (*wanted, *open_keys))}"
        )
    return found[0] if found else None


def conditions(text: str) -> dict[str, str]:
    """``key=value,key=[a,b]`` as a mapping.

    Raises:
        ConfigError: it is none.
    """
    parts = re.split(r",(?![^\[({]*[\])}])", text)
    pairs = [part.partition("=") for part in parts]
    if any(not key.strip() or not sign for key, sign, _ in pairs):
        raise ConfigError(f"--baseline {text} names no cell; write key=value,key=value, such as model=mlp,optim=adam")
    return {key.strip(): value.strip() for key, _, value in pairs}


def _row(group: Group, cell: Cell, metric: str) -> Row:
    watched, score = (estimate(cell.scores(name), group.folds) for name in (group.metric, metric))
    return Row(cell, watched, score)


def _compare(rows: Sequence[Row], baseline: Cell, metric: str, folds: int | None) -> None:
    others = [row for row in rows if row.cell is not baseline]
    found = against([row.cell.scores(metric) for row in others], baseline.scores(metric), folds)
    for row, comparison in zip(others, found, strict=True):
        row.versus = comparison


def _is_ahead(table: Table) -> bool:
    """Whether the first row differs from every other, and for the better. Which row is first, validation has said."""
    first, *others = table.rows
    if not others or first.watched is None:
        return False
    scores = [row.cell.scores(table.metric) for row in others]
    found = against(scores, first.cell.scores(table.metric), table.group.folds)
    return all(one is not None and one.differs and (one.difference.mean < 0) == table.higher for one in found)


def _notes(table: Table) -> Iterator[str]:
    group, metric = table.group, table.metric
    kind = "highest" if group.mode == "max" else "lowest"
    yield f"Ordered by {group.metric}, the {kind} first; a test score orders nothing."
    if metric == group.metric and len(table.rows) > 1:
        yield f"{metric} also chose the best epoch and the order: it flatters the first row."
    yield from _on_intervals(table)
    if group.fixed:
        yield f"All have {', '.join(f'{key}={value}' for key, value in group.fixed.items())}."
    yield from group.notes
    without = Counter(row.cell.name for row in table.rows for _ in row.cell.without(metric))
    if without:
        named = ", ".join(f"{number} of {name}" for name, number in without.items())
        yield f"Runs without a finite {metric}, in no mean: {named}."


def _on_intervals(table: Table) -> Iterator[str]:
    scores = [row.score for row in table.rows if row.score is not None]
    over = {score.over for score in scores if score.half is not None}
    if "seeds" in over:
        yield "± is the 95 % interval of the mean over seeds, on one split (Student's t); sd their standard deviation."
    if "folds" in over:
        yield (
            "± is the 95 % interval of the mean over folds, corrected for overlapping training sets (Nadeau and "
            "Bengio 2003); sd the standard deviation between folds"
            + (", seeds averaged within each." if any(score.count > score.units for score in scores) else ".")
        )
    if any(score.half == 0 for score in scores):
        yield "± 0: every run scored the same, which is no certainty of the score."
    if any(score.half is None for score in scores):
        yield "One run shows no interval: add seeds=5 to the command, and it is continued."


def _on_differences(table: Table) -> Iterator[str]:
    found = [row.versus for row in table.rows if row.versus is not None]
    tested = [one for one in found if one.p is not None]
    name = table.baseline.name if table.named else FIRST
    if tested:
        folds = [one.difference for one in tested if one.difference.over == "folds"]
        by = "seed" if not folds else "seed and fold" if any(one.count > one.units for one in folds) else "fold"
        holm = f", Holm's correction over {len(tested)} comparisons" if len(tested) > 1 else ""
        yield f"Differences from {name}, paired by {by}; p of the paired t test{holm}; * below 0.05."
        if least := [one.least for one in tested if one.least is not None]:
            pairs = min(one.difference.units for one in tested if one.least is not None)
            yield (
                f"The t test takes differences as normal. The exact sign-flip test, which does not, cannot go below "
                f"p = {max(least):.2g} with {pairs} pairs."
            )
    elif found:
        why = "of one pair" if all(one.difference.half is None for one in found) else "all pairs differ by the same"
        yield f"Differences from {name}, {why}: nothing can be said about chance."
    if any(one.needed is not None and not one.differs for one in found):
        share = f", at 0.05 / {len(tested)}" if len(tested) > 1 else ", at p = 0.05"
        yield (
            f"Seeds needed: in all, for a difference of the size that was seen{share} and 80 % power; from few pairs a "
            "rough guess."
        )


def _on_best(table: Table) -> str:
    ahead = f"ahead of every other in {table.metric} beyond chance (paired, Holm's correction, p < 0.05)"
    best = f"the best by {table.group.metric}"
    return f"Bold: {best}, {ahead}." if table.rows[0].best else f"Nothing is bold: {best} is not {ahead}."


def _has(group: Group, cell: Cell, key: str, value: str) -> bool:
    known: Mapping[str, str] = {**group.fixed, **cell.settings}
    held = known.get(key, cell.runs[0].switches.get(key))
    if held is None:
        there, found = cell.runs[0].config(key)
        held = str(found) if there else None
    return held is not None and (held == value or _number(held) == _number(value) is not None)


def _of(cell: Cell, key: str) -> str:
    return cell.settings.get(key, "")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None

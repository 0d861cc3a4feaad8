"""A table as text, before it is drawn: columns, places, and the sentences below. Numbers have the digits that count."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from assay.sweeps.tables.comparison import MOST, Comparison
from assay.sweeps.tables.scoring import Row, Table
from assay.sweeps.tables.statistics import Estimate

NOTHING = "–"
_WITHOUT = 4  # decimals where no interval says how many are worth something


@dataclass(frozen=True)
class Text:
    """What stands in one place of the table."""

    text: str
    bold: bool = False


@dataclass
class Sheet:
    """A table of text.

    Attributes:
        title: what it is about, a line.
        numeric: of each column, whether it is set against the right.
        keys: how many columns, from the left, say which cell a row is.
        notes: sentences that belong below.
    """

    title: str
    names: list[str]
    numeric: list[bool]
    rows: list[list[Text]]
    keys: int
    notes: list[str]


def sheet_of(table: Table) -> Sheet:
    """One row for each cell; a column that would say the same everywhere is told in the title instead."""
    group, rows = table.group, table.rows
    keys = group.varied or ["runs"]
    columns: list[tuple[str, bool, list[Text]]] = [
        (key, False, [Text(row.cell.settings.get(key, NOTHING), row.best) for row in rows]) for key in group.varied
    ]
    counts = [_counted(row) for row in rows]
    if not group.varied or len(set(counts)) > 1:
        columns.append(("runs", False, [Text(text) for text in counts]))
    if table.metric != group.metric:
        columns.append((group.metric, True, [Text(with_half(row.watched)) for row in rows]))
    columns.append((table.metric, True, [Text(with_half(row.score), row.best) for row in rows]))
    if any(row.score is not None and row.score.deviation is not None for row in rows):
        columns.append(("sd", True, [Text(_deviation(row.score)) for row in rows]))
    if any(row.versus is not None for row in rows):
        columns += _comparisons(table)
    return Sheet(
        _title(table, counts),
        [name for name, _, _ in columns],
        [numeric for _, numeric, _ in columns],
        [list(cells) for cells in zip(*(texts for _, _, texts in columns), strict=True)],
        len(keys),
        [*table.notes, *table.versus, *table.verdict],
    )


def with_half(found: Estimate | None) -> str:
    """``0.943 ± 0.012``: as many decimals as give the half interval two digits."""
    if found is None:
        return NOTHING
    if found.half is None:
        return number(found.mean, _WITHOUT)
    return f"{number(found.mean, decimals(found.half))} ± {_half(found.half)}"


def decimals(half: float) -> int:
    """After which place a number says nothing any more that an interval of this half width would not blur."""
    if half <= 0 or not math.isfinite(half):
        return _WITHOUT
    rounded = float(f"{half:.1e}")  # 0.0996 is 0.10
    return min(max(1 - math.floor(math.log10(rounded)), 0), 10)


def number(value: float, places: int, sign: str = "") -> str:
    """A number with so many decimals; a very small one, or a large one without any left, by its exponent."""
    text = f"{value:{sign}.{places}f}"
    if value and places == _WITHOUT and not 1e-3 <= abs(value) < 1e6:
        return f"{value:{sign}.3g}"
    return text


def p_shown(p: float | None) -> str:
    if p is None:
        return NOTHING
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.0995 else f"{p:.2f}"


def _comparisons(table: Table) -> list[tuple[str, bool, list[Text]]]:
    found = [row.versus for row in table.rows]
    versus = "vs baseline" if table.named else "vs first"
    made = [(versus, True, [Text(_difference(one)) for one in found])]
    if any(one is not None and one.corrected is not None for one in found):
        made.append(("p", True, [Text("" if one is None else p_shown(one.corrected)) for one in found]))
    if any(one is not None and one.least is not None and not one.differs for one in found):
        made.append(("seeds needed", True, [Text(_needed(one)) for one in found]))
    return made


def _difference(one: Comparison | None) -> str:
    if one is None:
        return ""
    half, mean = one.difference.half, one.difference.mean
    if half is None:
        return number(mean, _WITHOUT, "+")
    signed = number(mean, decimals(half), "+") if mean else "0"
    return f"{signed} ± {_half(half)}{'*' if one.differs else ''}"


def _half(half: float) -> str:
    return number(half, decimals(half)) if half else "0"


def _needed(one: Comparison | None) -> str:
    if one is None or one.least is None or one.differs:
        return ""
    if one.difference.mean == 0:
        return NOTHING
    return f"{one.needed:,}" if one.needed is not None else f">{MOST:,}"


def _deviation(score: Estimate | None) -> str:
    if score is None or score.deviation is None or score.half is None:
        return NOTHING
    return number(score.deviation, decimals(score.deviation)) if score.deviation else "0"


def _counted(row: Row) -> str:
    """``5 seeds``, ``10 folds``, ``10 folds × 3 seeds``, ``one seed``."""
    if row.score is None:
        return "none"
    if row.score.over == "seeds":
        return "one seed" if row.score.count == 1 else f"{row.score.count} seeds"
    seeds = len({one.seed for one in row.cell.runs})
    whole = row.score.count == seeds * row.score.units
    return (
        f"{row.score.units} folds"
        + (f" × {seeds} seeds" if seeds > 1 and whole else "")
        + ("" if whole else f", {row.score.count} runs")
    )


def _title(table: Table, counts: Sequence[str]) -> str:
    group = table.group
    each = f" of {counts[0]}" if len(set(counts)) == 1 and table.group.varied else ""
    examples = f", {int(group.split['test']):,} test examples" if "test" in group.split else ""
    cells = len(table.rows)
    return f"{table.metric} on {group.data}{examples}: {cells} cell{'s' * (cells != 1)}{each}"

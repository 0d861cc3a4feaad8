"""A table turned: the values of some keys as rows, of others as columns, one score in each place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from assay.errors import ConfigError
from assay.lifecycle.records import natural
from assay.sweeps.tables.cells import Cell, Group
from assay.sweeps.tables.scoring import Row, Table
from assay.sweeps.tables.sheet import NOTHING, Sheet, Text, sheet_of, with_half


def pivot(table: Table, down: Sequence[str], across: Sequence[str]) -> Sheet:
    """The score of each cell where its row and column meet; ``–`` where there was no such run.

    Args:
        down: keys whose values are the rows; empty: all that ``across`` leaves.
        across: the same of the columns.
    Raises:
        ConfigError: a key does not vary, stands on both sides, or one that varies on neither.
    """
    down, across = _sides(table.group, down, across)
    rows, columns = (_values(table, keys) for keys in (down, across))
    found = {(_of(row.cell, down), _of(row.cell, across)): row for row in table.rows}
    whole = sheet_of(table)
    versus = [f"* differs from {table.baseline.name}. {' '.join(table.versus)}"] if table.named else []
    return replace(
        whole,
        title=f"{whole.title}; {', '.join(across)} across",
        names=[*down, *(" ".join(value) for value in columns)],
        numeric=[False] * len(down) + [True] * len(columns),
        rows=[[*map(Text, row), *(_text(found.get((row, column)), table.named) for column in columns)] for row in rows],
        keys=len(down),
        notes=[*table.notes[1:], *versus, *table.verdict],
    )


def _sides(group: Group, down: Sequence[str], across: Sequence[str]) -> tuple[list[str], list[str]]:
    for key in (*down, *across):
        if key not in group.varied:
            possible = f"these vary: {', '.join(group.varied)}" if group.varied else "nothing varies"
            raise ConfigError(f"--rows and --columns: {key} does not vary between the cells; {possible}")
    if twice := [key for key in down if key in across]:
        raise ConfigError(f"{twice[0]} is in --rows and in --columns: leave one out")
    left = [key for key in group.varied if key not in (*down, *across)]
    down, across = (down or left), (across or left)
    if not down or not across:
        raise ConfigError(f"--rows {','.join(down)} --columns {','.join(across)}: nothing is left for the other side")
    if over := [key for key in group.varied if key not in (*down, *across)]:
        raise ConfigError(
            f"besides there {'vary' if len(over) > 1 else 'varies'} {', '.join(over)}: add to --rows or --columns, or "
            f"choose by --where {over[0]}=…"
        )
    return list(down), list(across)


def _values(table: Table, keys: Sequence[str]) -> list[tuple[str, ...]]:
    return sorted({_of(row.cell, keys) for row in table.rows}, key=lambda values: [natural(one) for one in values])


def _of(cell: Cell, keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(cell.settings.get(key, NOTHING) for key in keys)


def _text(row: Row | None, named: bool) -> Text:
    if row is None:
        return Text(NOTHING)
    differs = named and row.versus is not None and row.versus.differs
    return Text(f"{with_half(row.score)}{'*' if differs else ''}", row.best)

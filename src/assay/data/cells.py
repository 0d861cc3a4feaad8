"""Cells of a table as numbers. No torch here."""

from __future__ import annotations

import math
from collections.abc import Iterable


def numbers(cells: Iterable[str], missing: Iterable[str] = ()) -> tuple[list[float], list[int]]:
    """Cells as finite numbers, NaN where missing; and the positions of those that are neither (NaN too)."""
    gaps = frozenset(missing)
    cells = cells if isinstance(cells, list) else list(cells)
    if gaps.isdisjoint(cells) and "_" not in "".join(cells):  # a column of plain numbers, at the speed of C
        try:
            values = list(map(float, cells))
        except ValueError:
            values = [math.nan]
        if math.isfinite(sum(values)):
            return values, []
    values, bad = [], []
    for position, cell in enumerate(cells):
        value = math.nan
        if cell not in gaps:
            try:
                value = float(cell) if "_" not in cell else math.nan  # Python reads 1_000 as a number; a table does not
            except ValueError:
                value = math.nan
            if not math.isfinite(value):
                value = math.nan
                bad.append(position)
        values.append(value)
    return values, bad


def why_no_number(cell: str) -> str:
    """The reason that a cell is no number, for a message."""
    try:
        value = float(cell)
    except ValueError:
        comma = cell.replace(",", ".", 1)
        if comma != cell and not numbers([comma])[1]:
            return "is not a number (decimals are written with a point)"
        return "is not a number"
    return "is not a number" if math.isfinite(value) else "is not a finite number"

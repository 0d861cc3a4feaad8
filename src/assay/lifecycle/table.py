"""Tables of text that fit the terminal: what tells least is left out first, and the reader is told."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

GAP = "  "
COLOURS = {"red": 31, "green": 32, "yellow": 33, "cyan": 36, "bold": 1, "dim": 2}


@dataclass
class Column:
    """One column.

    Attributes:
        rank: columns of the highest rank are left out first, of equal ones the last; those of rank 0 never.
        numeric: set against the right.
    """

    name: str
    cells: list[str]
    rank: int = 0
    numeric: bool = False

    @property
    def width(self) -> int:
        return max(map(cell_width, (self.name, *self.cells)))


def cell_width(text: str) -> int:
    """How many columns of a terminal a text takes; of its widest line."""
    if "\n" in text:
        return max(map(cell_width, text.split("\n")))
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # knows how wide Chinese is

    return cell_len(text)


def terminal_width() -> int | None:
    """Columns of the terminal; None for a pipe or a file, which take any width."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() or "COLUMNS" in os.environ else None


def coloured() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def colour(text: str, name: str | None) -> str:
    """The text in a colour, on a terminal."""
    return f"\033[{COLOURS[name]}m{text}\033[0m" if name and coloured() else text


def total(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + len(GAP) * (len(columns) - 1)


def fitted(columns: Sequence[Column], width: int | None, least: int = 0) -> tuple[list[Column], list[str]]:
    """The columns that fit, and the names of those left out; columns up to rank ``least`` stay."""
    kept, out = list(columns), []
    while width is not None and total(kept) > width:
        worst = max(range(len(kept)), key=lambda place: (kept[place].rank, place))
        if kept[worst].rank <= least:
            break
        out.append(kept.pop(worst).name.replace("\n", ""))
    return kept, out


def heading_broken(column: Column) -> Column:
    """The same with its name over several lines, at points and slashes."""
    return replace(column, name=re.sub(r"(?<=[./])(?=.)", "\n", column.name))


def path_broken(column: Column) -> Column:
    """The same with its paths over as few lines as a single folder's name needs."""
    widest = max((cell_width(part) for text in column.cells for part in text.split("/")), default=0) + 1
    return replace(column, cells=[_packed(text, widest) for text in column.cells])


def _packed(path: str, width: int) -> str:
    made = [""]
    for part in re.findall(r"[^/]*/|[^/]+", path):
        if made[-1] and cell_width(made[-1] + part) > width:
            made.append("")
        made[-1] += part
    return "\n".join(made)


def lines(columns: Sequence[Column], paint: Mapping[str, Mapping[str, str]] | None = None) -> Iterator[str]:
    """Header and rows; a cell may hold several lines. ``paint``: {column: {cell: colour}}."""
    paint = paint or {}
    widths = [column.width for column in columns]
    names = [column.name.split("\n") for column in columns]
    deepest = max(map(len, names))
    for cells in zip(*([""] * (deepest - len(parts)) + parts for parts in names), strict=True):
        yield colour(_line(cells, columns, widths), "bold")
    for row in zip(*(column.cells for column in columns), strict=True):
        colours = [paint.get(column.name, {}).get(cell) for column, cell in zip(columns, row, strict=True)]
        for cells in zip_longest(*(cell.split("\n") for cell in row), fillvalue=""):
            yield _line(cells, columns, widths, colours)


def _line(
    cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int], colours: Sequence[str | None] | None = None
) -> str:
    made = []
    for place, (cell, column, width) in enumerate(zip(cells, columns, widths, strict=True)):
        space = " " * (width - cell_width(cell))
        text = colour(cell, colours[place]) if colours and cell else cell
        made.append(f"{space}{text}" if column.numeric else f"{text}{space}")
    return GAP.join(made).rstrip()

"""A sheet on the terminal, as wide as it is, and as Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import replace

from assay.lifecycle.table import GAP, Column, cell_width, colour, heading_broken, total
from assay.sweeps.tables.sheet import Sheet, Text

_MARKDOWN = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]<>|~#&$"})


def terminal(sheet: Sheet, width: int | None) -> Iterator[str]:
    """As a table where it fits, else a block for each row: no number is left out."""
    yield from wrapped(sheet.title, width)
    yield ""
    columns = [
        Column(name, [row[place].text for row in sheet.rows], numeric=sheet.numeric[place])
        for place, name in enumerate(sheet.names)
    ]
    for narrower in (_narrow_heading, _narrow_numbers):
        if width is not None and total(columns) > width:
            columns = [narrower(column) for column in columns]
    if width is None or total(columns) <= width:
        yield from _lines(columns, sheet)
    else:
        for row in sheet.rows:
            yield from _block(sheet, row, width)
    yield ""
    for note in sheet.notes:
        yield from wrapped(note, width)


def _narrow_heading(column: Column) -> Column:
    return replace(heading_broken(column), name=heading_broken(column).name.replace(" ", "\n"))


def _narrow_numbers(column: Column) -> Column:
    return replace(column, cells=[cell.replace(" ± ", "±") for cell in column.cells]) if column.numeric else column


def _lines(columns: list[Column], sheet: Sheet) -> Iterator[str]:
    heads = [column.name.split("\n") for column in columns]
    deepest = max(map(len, heads))
    for parts in zip(*([""] * (deepest - len(head)) + head for head in heads), strict=True):
        yield _joined([(part, "bold") for part in parts], columns)
    for place, row in enumerate(sheet.rows):
        texts = [(column.cells[place], "bold" if one.bold else None) for column, one in zip(columns, row, strict=True)]
        yield _joined(texts, columns)


def _joined(cells: list[tuple[str, str | None]], columns: list[Column]) -> str:
    made = []
    for (text, painted), column in zip(cells, columns, strict=True):
        space = " " * (column.width - cell_width(text))
        said = colour(text, painted) if text else ""
        made.append(f"{space}{said}" if column.numeric else f"{said}{space}")
    return GAP.join(made).rstrip()


def _block(sheet: Sheet, row: list[Text], width: int) -> Iterator[str]:
    """The settings of a cell, then a line for each number."""
    settings = " ".join(f"{name}={text.text}" for name, text in list(zip(sheet.names, row, strict=True))[: sheet.keys])
    for line in wrapped(settings, width):
        yield colour(line, "bold" if row[0].bold else None)
    names, texts = sheet.names[sheet.keys :], row[sheet.keys :]
    widest = max(map(cell_width, names))
    for name, text in zip(names, texts, strict=True):
        if not text.text:
            continue
        line = f"  {name:<{widest}}  {text.text}"
        if cell_width(line) <= width:
            yield line
        else:
            yield f"  {name}"
            yield f"    {text.text}"


def wrapped(text: str, width: int | None) -> list[str]:
    """The text in lines of at most this width, where one word is no wider."""
    if width is None:
        return [text]
    return textwrap.wrap(text, max(width, 20), break_long_words=False, break_on_hyphens=False)


def markdown(sheet: Sheet) -> Iterator[str]:
    """A pipe table, as GitHub, GitLab and pandoc render it; what would be markup is escaped."""
    yield f"**{_escaped(sheet.title)}**"
    yield ""
    yield f"| {' | '.join(map(_escaped, sheet.names))} |"
    yield f"|{'|'.join(' ---: ' if numeric else ' :--- ' for numeric in sheet.numeric)}|"
    for row in sheet.rows:
        yield f"| {' | '.join(_marked(text) for text in row)} |"
    yield ""
    yield _escaped(" ".join(sheet.notes))


def _marked(text: Text) -> str:
    said = _escaped(text.text)
    return f"**{said}**" if text.bold and said else said


def _escaped(text: str) -> str:
    return " ".join(text.split()).translate(_MARKDOWN)

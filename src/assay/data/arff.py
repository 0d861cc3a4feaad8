"""ARFF, the tables of Weka and Mulan: dense rows and sparse ones. No torch here.

The format is that of the Weka manual, chapter "ARFF": ``@relation``, ``@attribute NAME TYPE``, ``@data``, then a row a
line. A type is ``numeric``, ``real``, ``integer``, ``string`` or a list of values in braces. A sparse row,
``{place cell, …}``, names only what is not the first value: 0 of a number, the first in the braces of a list. Names and
cells with blanks or commas stand in quotes; ``?`` is an empty cell and ``%`` begins a comment. Refused, since no set
here has them: dates, attributes that hold tables, and weights of rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from assay.data.table_file import Columns
from assay.errors import ConfigError

_QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_ATTRIBUTE = re.compile(rf"@attribute\s+({_QUOTED}|\S+)\s+(\{{.*\}}|\S+.*)", re.IGNORECASE)
_CELL = re.compile(rf"\s*({_QUOTED}|[^,'\"\s][^,]*|)\s*(,|$)")
_SPARSE = re.compile(rf"\s*(\d+)\s+({_QUOTED}|[^,\s]+)\s*(,|$)")
_NUMBERS = ("numeric", "real", "integer")


@dataclass(frozen=True)
class Attribute:
    """values: what its cells may be; none where they are numbers or any text."""

    name: str
    numeric: bool
    values: tuple[str, ...] = ()

    @property
    def omitted(self) -> str:
        """What a sparse row means by leaving it out."""
        return self.values[0] if self.values else "0"


def read_arff(text: str, path: str) -> tuple[list[Attribute], Columns]:
    """Attributes, and the cells of each as the file spells them.

    Raises:
        ConfigError: a line of another form, with its number.
    """
    attributes: list[Attribute] = []
    lines: list[int] = []
    rows: list[list[str]] = []
    in_data = False
    for number, content in enumerate(text.split("\n"), 1):
        line = content.strip()
        at = f"{path}, line {number}"
        if not line or line.startswith("%"):
            continue
        if in_data:
            rows.append(_sparse(line, attributes, at) if line.startswith("{") else _dense(line, attributes, at))
            lines.append(number)
        elif line.lower().startswith("@attribute"):
            attributes.append(_attribute(line, at))
        elif line.lower() == "@data":
            in_data = True
        elif not line.lower().startswith("@relation"):
            raise ConfigError(f"{at}: expected @relation, @attribute or @data, found {line[:40]!r}")
    names = [attribute.name for attribute in attributes]
    if not rows:
        raise ConfigError(f"{path} holds no rows after @data")
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"{path} has two attributes named {twice[0]!r}")
    across = [list(cells) for cells in zip(*rows, strict=True)]
    return attributes, Columns(path, lines, dict(zip(names, across, strict=True)), names, [])


def _attribute(line: str, at: str) -> Attribute:
    found = _ATTRIBUTE.fullmatch(line)
    if found is None:
        raise ConfigError(f"{at}: not @attribute NAME TYPE")
    name, kind = _bare(found[1]), found[2].strip()
    if kind.startswith("{"):
        return Attribute(name, False, tuple(_cells(kind[1:-1].strip(), at)))
    if kind.lower() not in (*_NUMBERS, "string"):
        raise ConfigError(
            f"{at}: the type {kind.split()[0]} of {name} is not read; known are numeric, string and {{…}}"
        )
    return Attribute(name, kind.lower() in _NUMBERS)


def _dense(line: str, attributes: list[Attribute], at: str) -> list[str]:
    cells = list(_cells(line, at))
    if len(cells) != len(attributes):
        raise ConfigError(f"{at}: expected {len(attributes)} cells, found {len(cells)}")
    for attribute, cell in zip(attributes, cells, strict=True):
        _refuse_value(attribute, cell, at)
    return cells


def _sparse(line: str, attributes: list[Attribute], at: str) -> list[str]:
    if not line.endswith("}") or line.count("}") != 1:
        raise ConfigError(f"{at}: a sparse row is one {{…}}, without a weight after it")
    cells = [attribute.omitted for attribute in attributes]
    inside, place = line[1:-1].strip(), 0
    before = -1
    while place < len(inside):
        found = _SPARSE.match(inside, place)
        if found is None:
            raise ConfigError(f"{at}: expected a place and a cell, found {inside[place : place + 20]!r}")
        number, place = int(found[1]), found.end()
        if not before < number < len(attributes):
            raise ConfigError(f"{at}: place {number} follows {before}; they rise, up to {len(attributes) - 1}")
        cells[number] = _bare(found[2])
        _refuse_value(attributes[number], cells[number], at)
        before = number
    return cells


def _cells(text: str, at: str) -> Iterator[str]:
    """Cells between commas."""
    place = 0
    while True:
        found = _CELL.match(text, place)
        if found is None:
            raise ConfigError(f"{at}: a quote does not end, or stands within a cell")
        yield _bare(found[1].strip())
        if not found[2]:
            return
        place = found.end()


def _bare(text: str) -> str:
    """A name or cell without its quotes."""
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text[:1] in ("'", '"') else text


def _refuse_value(attribute: Attribute, cell: str, at: str) -> None:
    if attribute.values and cell not in attribute.values and cell != "?":
        raise ConfigError(f"{at}: {attribute.name}={cell!r} is none of {', '.join(attribute.values[:8])}")

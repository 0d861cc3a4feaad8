"""Tables that ship with scikit-learn, read from its files without the half second that importing it takes."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from assay.data.delimited import FeatureTable, table_of
from assay.data.plain_rows import plain_rows
from assay.data.table_file import Columns
from assay.errors import ConfigError

_LABEL = "target"


def shipped_file(name: str, data: str) -> Path:
    """The file ``name`` of the option data=``data`` in scikit-learn's folder of data.

    Raises:
        ConfigError: it is not there.
    """
    package = find_spec("sklearn")
    places = package.submodule_search_locations if package is not None else None
    path = Path(next(iter(places or [""]))) / "datasets" / "data" / name
    if not path.is_file():
        raise ConfigError(f"data={data} ships with scikit-learn, whose file {name} is not there; reinstall it")
    return path


def shipped_classes(data: str, file: str, features: Sequence[str], fills: bool) -> FeatureTable:
    """A table whose first line counts rows and columns and names the classes, and whose last column is the class."""
    path = shipped_file(file, data)
    text = path.read_text(encoding="utf-8")
    rows, columns, *names = text.partition("\n")[0].strip().split(",")
    table = plain_rows(text, str(path), [*features, _LABEL], skip=1)
    if (int(rows), int(columns)) != (len(table.lines), len(features)):
        raise ConfigError(f"{path} has {len(table.lines)} rows of {len(features)} where its first line says {rows}")
    spelled = {str(number): name for number, name in enumerate(names)}
    for row, cell in enumerate(table.cells[_LABEL]):
        if cell not in spelled:
            raise ConfigError(f"{table.at(row)}: the class {cell!r} is none of 0 to {len(names) - 1}")
    table.cells[_LABEL] = [spelled[cell] for cell in table.cells[_LABEL]]
    return table_of({"train": table}, features, [_LABEL], "class", fills=fills)


def shipped_numbers(data: str, file: str, target: str, features: Sequence[str], fills: bool) -> FeatureTable:
    """A table of numbers between spaces, and a file with the number to predict for each row; both packed."""
    held = []
    for name, columns in ((file, features), (target, [_LABEL])):
        path = shipped_file(name, data)
        held.append(plain_rows(gzip.decompress(path.read_bytes()).decode("ascii"), str(path), columns, " "))
    rows, answers = held
    if len(rows.lines) != len(answers.lines):
        raise ConfigError(f"{rows.path} has {len(rows.lines)} rows, {answers.path} {len(answers.lines)}")
    table = Columns(rows.path, rows.lines, {**rows.cells, **answers.cells}, [*features, _LABEL], [])
    return table_of({"train": table}, features, [_LABEL], "number", fills=fills)

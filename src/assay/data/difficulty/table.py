"""A table of difficulties, ``id,difficulty``: read for ``curriculum=custom``, checked before torch is loaded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from assay.data.table_file import read_columns
from assay.errors import ConfigError

COLUMNS = ("id", "difficulty")


def read(path: str) -> dict[int, float]:
    """{example's number: difficulty}.

    Raises:
        ConfigError: the file or a column is not there, or a row will not do; its line is named.
    """
    table = read_columns(path, COLUMNS)
    found: dict[int, float] = {}
    for row, (name, text) in enumerate(zip(table.cells["id"], table.cells["difficulty"], strict=True)):
        if not (name.isascii() and name.isdigit()):
            raise ConfigError(f"{table.at(row)}: the id {name!r} is no number of an example, counted from 0")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ConfigError(f"{table.at(row)}: the difficulty {text!r} is no number")
        if int(name) in found:
            raise ConfigError(f"{table.at(row)}: the id {name} stands there twice")
        found[int(name)] = value
    return found


def check(config: Mapping[str, Any]) -> set[str]:
    """``curriculum=custom``: the file can be read. Whether it has every training example is known with the data."""
    read(str(config["path"]))
    return set()

"""Published files read anew, by csv, struct and NumPy alone: what the data sets are compared with."""

from __future__ import annotations

import csv
import gzip
import struct
from pathlib import Path

import numpy as np


def delimited(path: Path, delimiter: str = ",") -> list[list[str]]:
    """Rows of stripped cells, blank lines and comments (|) left out; packed or not."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="latin-1") as file:
        rows = list(csv.reader(file, delimiter=delimiter))
    return [[cell.strip() for cell in row] for row in rows if row and not row[0].startswith("|")]


def labelled(path: Path, encoding: str) -> list[tuple[str, str]]:
    """(label, text) of each line."""
    with open(path, encoding=encoding, newline="\n") as file:
        return [(line.split(" ", 1)[0], line.split(" ", 1)[1].strip()) for line in file]


def idx(data: bytes) -> np.ndarray:
    """An idx file, value by value."""
    zero, kind, rank = struct.unpack(">HBB", data[:4])
    assert (zero, kind) == (0, 8)
    shape = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank])
    return np.array(list(data[4 + 4 * rank :]), np.uint8).reshape(shape)

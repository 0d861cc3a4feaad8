"""Inputs of prediction that are not plain tables: JSON lines, and whatever arrives on standard input. No torch here."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from assay.data.table_file import find_encoding, nearest, open_path
from assay.errors import ConfigError

TABLE_SUFFIXES = (".csv", ".tsv", ".tab")
JSON_SUFFIXES = (".jsonl", ".ndjson")


@contextmanager
def standard_input() -> Generator[str]:
    """Standard input as a file that can be read more than once; refusals name it, not the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "standard input")
        with open(path, "wb") as file:
            file.write(sys.stdin.buffer.read())
        try:
            yield path
        except ConfigError as refusal:
            raise ConfigError(str(refusal).replace(path, "standard input")) from None


def read_lines(path: str) -> tuple[list[int], list[str]]:
    """The lines of a text file that are not blank, with their numbers."""
    path = open_path(path)
    lines, texts = [], []
    with open(path, encoding=find_encoding(path)) as file:
        for line, text in enumerate(file, 1):
            if text.strip():
                lines.append(line)
                texts.append(text.strip())
    if not lines:
        raise ConfigError(f"{path} holds only blank lines")
    return lines, texts


def read_json_lines(path: str, columns: Sequence[str]) -> tuple[list[int], list[tuple[str, ...]]]:
    """One JSON object a line -> the cells of ``columns``, as a table would hold them; null is an empty cell."""
    lines, texts = read_lines(path)
    rows = []
    for line, text in zip(lines, texts, strict=True):
        try:
            held = json.loads(text)
        except json.JSONDecodeError as error:
            raise ConfigError(f"{path}, line {line}: not JSON ({error.msg} at column {error.colno})") from None
        if not isinstance(held, dict):
            raise ConfigError(f"{path}, line {line}: not a JSON object with the columns {', '.join(columns[:8])}")
        for column in columns:
            if column not in held:
                raise ConfigError(f"{path}, line {line}: no {column!r}{nearest(column, list(held))}")
        rows.append(tuple(cell(held[column]) for column in columns))
    return lines, rows


def cell(value: object) -> str:
    """A value as the cell of a table."""
    return "" if value is None else str(value).strip()

"""Sequences of rows of numbers -> (T, D)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from assay.contracts import Field
from assay.data.cells import numbers, why_no_number
from assay.data.examples import Column, Dense
from assay.data.preprocessing.inputs import JSON_SUFFIXES, read_lines, standard_input
from assay.data.table_file import read_columns
from assay.errors import ConfigError

Rows = Any
"""A tensor, an array or lists of numbers (T, D)."""


class SequencePreprocessing:
    """Numbers as they are: nothing is fitted.

    Args:
        names: of the numbers of a time step (D).
        length: T, of every sequence; a network that reads it as one vector has a weight for each step.
    """

    def __init__(self, names: Sequence[str], length: int) -> None:
        self.names, self.length = list(names), length
        self.notes: list[str] = []

    def field(self) -> Field:
        return Field("sequence", (self.length, len(self.names)), names=tuple(self.names))

    def __call__(self, raws: Sequence[Rows] | Tensor) -> dict[str, Column]:
        """Sequences, or all of them as one tensor (N, T, D) -> the source column."""
        if not isinstance(raws, Tensor):
            made = [self._sequence(raw, f"sequence {number}") for number, raw in enumerate(raws, 1)]
            raws = torch.stack(made) if made else torch.zeros(0, self.length, len(self.names))
        return {"source": Dense(raws.to(torch.float32))}

    def _sequence(self, raw: Rows, shown: str) -> Tensor:
        columns = ", ".join(self.names)
        try:
            value = torch.as_tensor(raw, dtype=torch.float32)
        except (ValueError, TypeError, RuntimeError):
            raise ConfigError(f"{shown} is not rows of {len(self.names)} numbers each ({columns})") from None
        if value.dim() != 2 or value.shape[1] != len(self.names):
            raise ConfigError(f"{shown} has the shape {tuple(value.shape)}; needed are rows of {columns}")
        if len(value) != self.length:
            raise ConfigError(f"{shown} has {len(value):,} time steps; the model was trained on {self.length:,}")
        if not value.isfinite().all():
            raise ConfigError(f"{shown} holds a number that is not finite")
        return value

    def read(self, paths: Sequence[str]) -> tuple[list[str], list[Tensor]]:
        """Tables, each one sequence: a header that holds the names, then a row per time step; JSON lines, each one
        sequence: a list of rows; or "-" for a table on standard input."""
        ids: list[str] = []
        found: list[Tensor] = []
        for path in map(str, paths):
            if path == "-":
                with standard_input() as file:
                    found.append(self._table(file))
                ids.append(path)
            elif os.path.splitext(path)[1].lower() in JSON_SUFFIXES:
                for line, text in zip(*read_lines(path), strict=True):
                    where = f"{path}, line {line}"
                    try:
                        rows = json.loads(text)
                    except json.JSONDecodeError as error:
                        raise ConfigError(f"{where}: not JSON ({error.msg} at column {error.colno})") from None
                    found.append(self._sequence(rows, where))
                    ids.append(f"{path}:{line}")
            else:
                found.append(self._table(path))
                ids.append(path)
        return ids, found

    def _table(self, path: str) -> Tensor:
        file = read_columns(path, self.names, least=min(2, len(self.names)))
        columns = []
        for name in self.names:
            values, bad = numbers(file.cells[name])
            if bad:
                cell = file.cells[name][bad[0]]
                raise ConfigError(f"{file.at(bad[0])}: {name}={cell!r} {why_no_number(cell)}")
            columns.append(values)
        return self._sequence(list(zip(*columns, strict=True)), path)

    def show(self, value: Tensor) -> str:
        """One example (T, D), a line per number of a time step; the first and last steps of a long one."""
        steps = value if len(value) <= 24 else torch.cat([value[:12], value[-12:]])
        lines = []
        for name, row in zip(self.names, steps.T.tolist(), strict=True):
            cells = [f"{number:.3g}" for number in row]
            lines.append(f"{name}: {' '.join(cells if len(value) <= 24 else [*cells[:12], '…', *cells[12:]])}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        return {"type": "sequence", "names": self.names, "length": self.length}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> SequencePreprocessing:
        return cls(plain["names"], plain["length"])

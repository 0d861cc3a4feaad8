"""Rows of cells -> one vector of numbers and category codes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from assay.contracts import Field
from assay.data.cells import numbers, why_no_number
from assay.data.examples import Column, Dense
from assay.data.preprocessing.impute import Imputation, impute_from_json
from assay.data.preprocessing.inputs import JSON_SUFFIXES, cell, read_json_lines, standard_input
from assay.data.preprocessing.scaling import Scaling, scaling_from_json
from assay.data.table_file import read_columns
from assay.errors import ConfigError

Row = Sequence[str] | Mapping[str, object]


class TablePreprocessing:
    """Numbers filled and scaled, categories numbered, in the order of the features: (N, D) float32.

    A category's code is its place in ``categories_``, counted from 1, alphabetically; 0 is a category that the training
    split does not hold. An empty cell of a category is the category "". Where ``impute`` flags gaps, a column of 0 and
    1 follows the features for each number that it flags: (N, D + G).

    Args:
        features: names of the columns (D).
        numeric: which are numbers (D).
        missing: what an empty cell looks like, besides an empty one.
        scaling, impute: of the numbers, in float64; fitted by :meth:`fit` on the training split.
    """

    def __init__(
        self,
        features: Sequence[str],
        numeric: Sequence[bool],
        missing: Sequence[str],
        scaling: Scaling,
        impute: Imputation,
    ) -> None:
        self.features, self.numeric = list(features), list(numeric)
        self.missing = frozenset({"", *missing})
        self.scaling, self.impute = scaling, impute
        self.categories_: dict[str, list[str]] = {}
        self._codes: dict[str, dict[str, int]] = {}
        self.notes: list[str] = []

    def fit(self, rows: Sequence[Row]) -> TablePreprocessing:
        columns = self._columns(rows)
        for name, is_number in zip(self.features, self.numeric, strict=True):
            if not is_number:
                self.categories_[name] = sorted({self._category(value) for value in columns[name]})
        self._number_categories()
        x = self._matrix(columns, self._ids(rows))
        self.impute.fit(x)
        self.scaling.fit(self.impute.transform(x))
        return self

    def _number_categories(self) -> None:
        for name, values in self.categories_.items():
            self._codes[name] = {value: code for code, value in enumerate(values, 1)}

    def _category(self, value: str) -> str:
        return "" if value in self.missing else value

    def field(self) -> Field:
        """What the source field is, after :meth:`fit`."""
        sizes = [0 if name not in self.categories_ else len(self.categories_[name]) + 1 for name in self.features]
        names = [*self.features, *self._flags()]
        sizes += [0] * len(self._flags())
        return Field("table", (len(names),), names=tuple(names), cardinalities=tuple(sizes))

    def _flags(self) -> list[str]:
        """Names of the columns that say where a number was empty."""
        numbers = [name for name, is_number in zip(self.features, self.numeric, strict=True) if is_number]
        return [f"{numbers[place]} empty" for place in self.impute.flagged_]

    def __call__(self, raws: Sequence[Row]) -> dict[str, Column]:
        return {"source": Dense(self._transform(raws, self._ids(raws)))}

    def _transform(self, rows: Sequence[Row], ids: Sequence[str]) -> Tensor:
        return self.prepared(self.cells(rows, ids))

    def cells(self, rows: Sequence[Row], ids: Sequence[str] | None = None) -> Tensor:
        """Rows as numbers (N, D) float64: NaN where a number is empty, and categories' codes. Nothing is scaled yet."""
        columns = self._columns(rows)
        cells = torch.zeros(len(rows), len(self.features), dtype=torch.float64)
        cells[:, self._places(True)] = self._matrix(columns, self._ids(rows) if ids is None else ids)
        for place in self._places(False):
            name = self.features[place]
            codes = self._codes[name]
            values = [codes.get(self._category(value), 0) for value in columns[name]]
            cells[:, place] = torch.tensor(values, dtype=torch.float64)
            if 0 in values:
                unseen = columns[name][values.index(0)]
                rows_hold = "1 row holds" if values.count(0) == 1 else f"{values.count(0):,} rows hold"
                self.notes.append(f"{rows_hold} a value of {name} unseen in training: {unseen!r}")
        return cells

    def prepared(self, cells: Tensor) -> Tensor:
        """What :meth:`cells` gave, filled and scaled in float64: (N, D + G) float32. Tensors alone, so that an exported
        file holds it too."""
        numbers, categories = self._places(True), self._places(False)
        read = cells[:, numbers]  # (N, numbers)
        x = self.scaling.transform(self.impute.transform(read)).to(torch.float32)
        places = numbers + categories
        order = sorted(range(len(places)), key=places.__getitem__)
        columns = torch.cat([x, cells[:, categories].to(torch.float32)], 1)[:, order]
        return torch.cat([columns, read[:, self.impute.flagged_].isnan().to(torch.float32)], 1)

    def _places(self, numeric: bool) -> list[int]:
        return [place for place, is_number in enumerate(self.numeric) if is_number == numeric]

    @staticmethod
    def _ids(rows: Sequence[Row]) -> list[str]:
        return [f"row {number}" for number in range(1, len(rows) + 1)]

    def _columns(self, rows: Sequence[Row]) -> dict[str, Sequence[str]]:
        """Rows, as sequences in the order of the features or as mappings by name, turned to columns."""
        cells: list[Sequence[str]] = []
        for number, row in enumerate(rows, 1):
            if isinstance(row, Mapping):
                if absent := [name for name in self.features if name not in row]:
                    raise ConfigError(f"row {number} has no {absent[0]!r}; needed are {', '.join(self.features)}")
                cells.append([cell(row[name]) for name in self.features])
            elif len(row) != len(self.features):
                raise ConfigError(f"row {number} has {len(row)} cells; needed are {', '.join(self.features)}")
            else:
                cells.append(row if set(map(type, row)) == {str} else [cell(value) for value in row])
        across = zip(*cells, strict=True) if cells else [() for _ in self.features]
        return dict(zip(self.features, across, strict=True))

    def _matrix(self, columns: Mapping[str, Sequence[str]], ids: Sequence[str]) -> Tensor:
        """The numbers (N, D') float64, NaN where empty."""
        read = []
        for name, is_number in zip(self.features, self.numeric, strict=True):
            cells = list(columns[name])
            if is_number:
                values, bad = numbers(cells, self.missing)
                if bad:
                    raise ConfigError(f"{ids[bad[0]]}: {name}={cells[bad[0]]!r} {why_no_number(cells[bad[0]])}")
                read.append(values)
            gap = next((row for row, value in enumerate(cells) if value in self.missing), None)
            if gap is not None and (self.impute.drops or not self.impute.fills):
                why = "; impute=drop left such rows out" if self.impute.drops else ""
                raise ConfigError(f"{ids[gap]}: {name} is empty{why}; fill it in, or train with impute=mean")
        return torch.tensor(read, dtype=torch.float64).reshape(len(read), len(ids)).T

    def read(self, paths: Sequence[str]) -> tuple[list[str], list[Row]]:
        """Tables with a header that holds the features (others are ignored), JSON lines, or "-" for a table on standard
        input. Every cell is checked here, where its line is known."""
        ids: list[str] = []
        rows: list[Row] = []
        for path in map(str, paths):
            if path == "-":
                with standard_input() as file:
                    lines, found = self._table(file)
            elif os.path.splitext(path)[1].lower() in JSON_SUFFIXES:
                lines, found = read_json_lines(path, self.features)
            else:
                lines, found = self._table(path)
            here = [f"{path}:{line}" for line in lines]
            self._matrix(self._columns(found), [f"{path}, line {line}" for line in lines])
            ids.extend(here)
            rows.extend(found)
        return ids, rows

    def _table(self, path: str) -> tuple[list[int], list[tuple[str, ...]]]:
        file = read_columns(path, self.features, least=1)
        return file.lines, list(zip(*(file.cells[name] for name in self.features), strict=True))

    def show(self, value: Tensor) -> str:
        """One example (D,), as the model sees its numbers and as the file names its categories."""
        parts = []
        for name, number in zip([*self.features, *self._flags()], value.tolist(), strict=True):
            known = self.categories_.get(name)
            parts.append(f"{name}={f'{number:.3g}' if known is None else known[int(number) - 1] if number else '?'}")
        return " ".join(parts)

    def to_json(self) -> dict[str, Any]:
        return {
            "type": "table",
            "features": self.features,
            "numeric": self.numeric,
            "missing": sorted(self.missing),
            "categories_": self.categories_,
            "scaling": self.scaling.to_json(),
            "impute": self.impute.to_json(),
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> TablePreprocessing:
        scaling, impute = scaling_from_json(plain["scaling"]), impute_from_json(plain["impute"])
        made = cls(plain["features"], plain["numeric"], plain["missing"], scaling, impute)
        made.categories_ = {name: list(values) for name, values in plain["categories_"].items()}
        made._number_categories()
        return made

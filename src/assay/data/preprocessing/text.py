"""Texts -> token ids."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from assay.contracts import Field
from assay.data.examples import Column, Ragged
from assay.data.preprocessing.inputs import (
    JSON_SUFFIXES,
    TABLE_SUFFIXES,
    read_json_lines,
    read_lines,
    standard_input,
)
from assay.data.table_file import read_columns
from assay.data.tokenizers import Tokenizer, from_json
from assay.data.tokenizers.vocabulary import PADDING_ID
from assay.errors import ConfigError


class TextPreprocessing:
    """Tokenised, cut to ``max_length`` tokens, one ragged column of ids.

    Args:
        tokenizer: fitted by :meth:`fit`, on the training split.
        max_length: tokens kept of a text, from its beginning.
        column: of the texts in a table given to ``predict``; None where the data were no table.
    """

    def __init__(self, tokenizer: Tokenizer, max_length: int, column: str | None = None) -> None:
        self.tokenizer, self.max_length, self.column = tokenizer, max_length, column
        self.notes: list[str] = []

    def fit(self, texts: Sequence[str]) -> TextPreprocessing:
        self.tokenizer.fit(texts)
        return self

    def field(self) -> Field:
        """What the source field is, after :meth:`fit`."""
        vocabulary = tuple(self.tokenizer.vocabulary_)
        return Field("ids", (None,), size=len(vocabulary), padding_id=PADDING_ID, names=vocabulary)

    def __call__(self, raws: Sequence[str]) -> dict[str, Column]:
        ids = (self.tokenizer.encode(text.strip())[: self.max_length] for text in raws)
        return {"source": Ragged.join(ids, PADDING_ID)}

    def read(self, paths: Sequence[str]) -> tuple[list[str], list[str]]:
        """A .txt file (a text per line), a table or JSON lines with the text column, "-" for lines on standard input,
        or the text itself."""
        ids: list[str] = []
        texts: list[str] = []
        for path in map(str, paths):
            suffix = os.path.splitext(path)[1].lower()
            if path == "-":
                with standard_input() as file:
                    lines, found = read_lines(file)
                shown = "-"
            elif suffix in TABLE_SUFFIXES + JSON_SUFFIXES:
                lines, found = self._table(path, suffix)
                shown = path
            elif os.path.exists(path) or suffix == ".txt":
                lines, found = read_lines(path)
                shown = path
            elif not path.strip():
                raise ConfigError("an empty text was given; give a text, a .txt or .csv file, or - for standard input")
            else:
                ids.append(str(len(ids) + 1))
                texts.append(path)
                continue
            ids.extend(f"{shown}:{line}" for line in lines)
            texts.extend(found)
        return ids, texts

    def _table(self, path: str, suffix: str) -> tuple[list[int], list[str]]:
        if self.column is None:
            raise ConfigError(f"{path}: this model was not trained on a table; give texts, a .txt file, or -")
        if suffix in JSON_SUFFIXES:
            lines, rows = read_json_lines(path, [self.column])
            texts = [row[0] for row in rows]
        else:
            file = read_columns(path, [self.column], least=1)
            lines, texts = file.lines, file.cells[self.column]
        if "" in texts:
            raise ConfigError(f"{path}, line {lines[texts.index('')]}: the text in column {self.column} is empty")
        return lines, texts

    def show(self, value: Tensor) -> str:
        """Tokens of one example's ids (T,)."""
        return self.tokenizer.show([number for number in value.tolist() if number != PADDING_ID])

    def to_json(self) -> dict[str, Any]:
        settings = {"max_length": self.max_length, "column": self.column}
        return {"type": "text", **settings, "tokenizer": self.tokenizer.to_json()}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> TextPreprocessing:
        return cls(from_json(plain["tokenizer"]), plain["max_length"], plain["column"])

"""Running text -> token ids, and back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor

from assay.contracts import Field
from assay.data.examples import Column, Ragged
from assay.data.preprocessing.text import TextPreprocessing
from assay.data.tokenizers import Tokenizer, from_json
from assay.data.tokenizers.vocabulary import PADDING_ID, UNKNOWN_ID
from assay.data.windows import NOT_SCORED

END = "<eos>"
"""Stands for the end of a line, where the tokenizer itself drops line breaks."""
_BREAK = "\n"


class StreamPreprocessing:
    """A text as one stream of ids, nothing cut off. Where the tokenizer drops line breaks, an end mark stands for each,
    as in the published counts of Penn Treebank and WikiText.

    Before the first token of a text stands ``start_id``: the end mark, or the line break of characters, as if a line
    had just ended; so the first token is predicted as every other one is.

    Args:
        tokenizer: fitted by :meth:`fit`, on the training split.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.notes: list[str] = []
        self._know()

    def _know(self) -> None:
        words, mark = self.tokenizer.vocabulary_, _BREAK if self.keeps_lines else END
        self.vocabulary = list(words) if self.keeps_lines or END in words else [*words, END]
        self.start_id = self.vocabulary.index(mark) if mark in self.vocabulary else UNKNOWN_ID

    @property
    def keeps_lines(self) -> bool:
        return self.tokenizer.keeps_lines

    def fit(self, texts: Iterable[str]) -> StreamPreprocessing:
        """Texts: pieces of the training split, one at a time; none ends within a word."""
        self.tokenizer.fit(texts)
        self._know()
        return self

    def field(self) -> Field:
        """What the source field is, after :meth:`fit`; a position's label is of the same vocabulary."""
        return Field("ids", (None,), size=len(self.vocabulary), padding_id=PADDING_ID, names=tuple(self.vocabulary))

    def target(self) -> Field:
        return Field("tokens", (None,), len(self.vocabulary), NOT_SCORED, tuple(self.vocabulary))

    def encode(self, text: str) -> list[int]:
        """Ids of a text, of an empty one none. Only what a line break ends has an end mark."""
        if self.keeps_lines:
            return self.tokenizer.encode(text) if text else []
        *lines, rest = text.split(_BREAK)
        ids: list[int] = []
        for line in lines:
            ids += self._words(line)
            ids.append(self.start_id)
        return ids + self._words(rest)

    def _words(self, line: str) -> list[int]:
        return self.tokenizer.encode(line) if line.strip() else []

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids: of characters the very text, of words with single spaces between them."""
        if self.keeps_lines:
            return self.tokenizer.decode(list(ids))
        return _BREAK.join(map(self.tokenizer.decode, self._lines(ids)))

    def _lines(self, ids: Iterable[int]) -> list[list[int]]:
        lines: list[list[int]] = [[]]
        for number in ids:
            if number == self.start_id:
                lines.append([])
            else:
                lines[-1].append(number)
        return lines

    def prompt(self, text: str) -> list[int]:
        """What a model reads before it goes on with a text: ``start_id`` and the ids."""
        return [self.start_id, *self.encode(text)]

    def __call__(self, raws: Sequence[str]) -> dict[str, Column]:
        """Each text as a line of its own: what is read, and as ``label`` what comes next, the line's end included."""
        ids = [self.encode(text.removesuffix(_BREAK) + _BREAK) for text in raws]
        before = [[self.start_id, *line[:-1]] for line in ids]
        return {"source": Ragged.join(before, PADDING_ID), "label": Ragged.join(ids, NOT_SCORED)}

    def read(self, paths: Sequence[str]) -> tuple[list[str], list[str]]:
        """A .txt file (a text per line), "-" for lines on standard input, or the text itself."""
        return TextPreprocessing(self.tokenizer, 0).read(paths)

    def show(self, value: Tensor) -> str:
        """Tokens of one example's ids (T,), the end mark written out."""
        ids = [number for number in value.tolist() if number != PADDING_ID]
        if self.keeps_lines:
            return self.tokenizer.show(ids)
        return f" {END} ".join(map(self.tokenizer.show, self._lines(ids))).strip()

    def digest(self) -> str:
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        return {"type": "stream", "tokenizer": self.tokenizer.to_json()}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> StreamPreprocessing:
        return cls(from_json(plain["tokenizer"]))

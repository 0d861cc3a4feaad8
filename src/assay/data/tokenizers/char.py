"""Characters as tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from assay.data.tokenizers.vocabulary import SPECIAL, UNKNOWN_ID, count_tokens


class Char:
    """One id per character (Unicode code point), those of the training split; any other is unknown.

    ``fit`` sets ``vocabulary_``: padding, unknown, then characters by count and alphabet.
    """

    keeps_lines = True

    def __init__(self) -> None:
        self.vocabulary_: list[str] = list(SPECIAL)
        self._ids: dict[str, int] = {}

    def fit(self, texts: Iterable[str]) -> Char:
        return self._use(count_tokens(texts))

    def _use(self, vocabulary: list[str]) -> Char:
        self.vocabulary_ = vocabulary
        self._ids = {token: number for number, token in enumerate(vocabulary) if number >= len(SPECIAL)}
        return self

    def encode(self, text: str) -> list[int]:
        """Ids of the characters; never empty: an empty text is one unknown token."""
        return [self._ids.get(character, UNKNOWN_ID) for character in text] or [UNKNOWN_ID]

    def show(self, ids: Sequence[int]) -> str:
        return "".join(self.vocabulary_[number] for number in ids)

    decode = show

    def to_json(self) -> dict[str, Any]:
        return {"type": "char", "vocabulary_": self.vocabulary_}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Char:
        return cls()._use(list(plain["vocabulary_"]))

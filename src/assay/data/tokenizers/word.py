"""Words as tokens."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from assay.data.tokenizers.vocabulary import SPECIAL, UNKNOWN_ID, count_tokens
from assay.errors import ConfigError

_TOKEN = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")  # a word with its apostrophes, or one mark


def words_of(text: str, lowercase: bool) -> list[str]:
    """Words with their apostrophes, and marks one by one; none holds white space."""
    return _TOKEN.findall(text.lower() if lowercase else text)


class Word:
    """One id per word or punctuation mark of the training split; any other is unknown.

    ``fit`` sets ``vocabulary_``: padding, unknown, then tokens by count and alphabet.

    Args:
        min_count: occurrences in the training split that a token needs.
        max_size: of the vocabulary, the two special tokens included.
        lowercase: "The" and "the" are one token.
    Raises:
        ConfigError: min_count or max_size is less than one.
    """

    keeps_lines = False

    def __init__(self, min_count: int = 1, max_size: int = 20000, lowercase: bool = True) -> None:
        if min_count < 1 or max_size < 1:
            raise ConfigError(f"tokenizer.min_count={min_count} and tokenizer.max_size={max_size} are counts from 1")
        self.min_count, self.max_size, self.lowercase = min_count, max_size, lowercase
        self.vocabulary_: list[str] = list(SPECIAL)
        self._ids: dict[str, int] = {}

    def tokens(self, text: str) -> list[str]:
        return words_of(text, self.lowercase)

    def fit(self, texts: Iterable[str]) -> Word:
        return self._use(count_tokens(map(self.tokens, texts), self.min_count, self.max_size))

    def _use(self, vocabulary: list[str]) -> Word:
        self.vocabulary_ = vocabulary
        self._ids = {token: number for number, token in enumerate(vocabulary) if number >= len(SPECIAL)}
        return self

    def encode(self, text: str) -> list[int]:
        """Ids of the tokens; never empty: a text without any is one unknown token."""
        return [self._ids.get(token, UNKNOWN_ID) for token in self.tokens(text)] or [UNKNOWN_ID]

    def show(self, ids: Sequence[int]) -> str:
        return " ".join(self.vocabulary_[number] for number in ids)

    decode = show

    def to_json(self) -> dict[str, Any]:
        settings = {"min_count": self.min_count, "max_size": self.max_size, "lowercase": self.lowercase}
        return {"type": "word", **settings, "vocabulary_": self.vocabulary_}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Word:
        return cls(plain["min_count"], plain["max_size"], plain["lowercase"])._use(list(plain["vocabulary_"]))

"""Tokenizers: text -> ids, with a vocabulary fitted on the training split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol


class Tokenizer(Protocol):
    """``vocabulary_`` lists the tokens by id; 0 is padding, 1 unknown. ``show`` writes ids as a person reads them,
    ``decode`` as text. ``keeps_lines``: line breaks and spaces are tokens as everything else is."""

    vocabulary_: list[str]
    keeps_lines: bool

    def fit(self, texts: Iterable[str]) -> Tokenizer: ...
    def encode(self, text: str) -> list[int]: ...
    def show(self, ids: Sequence[int]) -> str: ...
    def decode(self, ids: Sequence[int]) -> str: ...
    def to_json(self) -> dict[str, Any]: ...


def from_json(plain: Mapping[str, Any]) -> Tokenizer:
    """The fitted tokenizer that ``to_json`` described."""
    from assay.data.tokenizers.bpe import BPE
    from assay.data.tokenizers.char import Char
    from assay.data.tokenizers.whitespace import Whitespace
    from assay.data.tokenizers.word import Word

    kinds: dict[str, type[BPE] | type[Char] | type[Whitespace] | type[Word]] = {
        "bpe": BPE,
        "char": Char,
        "whitespace": Whitespace,
        "word": Word,
    }
    return kinds[plain["type"]].from_json(plain)

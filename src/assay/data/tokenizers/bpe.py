"""Pieces of words as tokens: byte-pair encoding."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from assay.data.tokenizers.vocabulary import SPECIAL, UNKNOWN_ID
from assay.data.tokenizers.word import words_of
from assay.errors import ConfigError

END = "▁"  # U+2581, of a word; the paper's "·" stands in texts too
_CUT = "@@ "  # between the pieces of a word, for people


class BPE:
    """Words begin as characters; the commonest pair of neighbours within words becomes one token, again and again.

    Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words with Subword Units", 2016, arXiv:1508.07909,
    algorithm 1, by Hugging Face's ``tokenizers``. As there a word ends in a symbol of its own, is never joined with
    another, and is segmented by the merges in the order learnt. What counts as a word is what :class:`Word` says.
    Differs from the paper: of pairs equally common, the one whose pieces entered the vocabulary first is merged (the
    paper leaves it open); the size asked for is that of the whole vocabulary; and a character that training does not
    hold is the unknown token, so that every text can be encoded.

    ``fit`` sets ``vocabulary_``: padding, unknown, characters by code point, then merges in order; and ``merges_``.

    Args:
        vocab_size: of the whole vocabulary; smaller where no pair is left that is common enough.
        min_count: occurrences in the training split that a pair needs to be merged.
        lowercase: "The" and "the" are one word.
    Raises:
        ConfigError: a count is less than one, the characters alone are more than vocab_size, or ``tokenizers`` is not
            installed.
    """

    keeps_lines = False

    def __init__(self, vocab_size: int = 8000, min_count: int = 2, lowercase: bool = True) -> None:
        if vocab_size < 1 or min_count < 1:
            raise ConfigError(
                f"tokenizer.vocab_size={vocab_size} and tokenizer.min_count={min_count} are counts from 1"
            )
        self.vocab_size, self.min_count, self.lowercase = vocab_size, min_count, lowercase
        self.vocabulary_: list[str] = list(SPECIAL)
        self.merges_: list[tuple[str, str]] = []
        self._model: Any = None

    def _marked(self, text: str) -> str:
        """The words of a text, each with its end, between spaces."""
        return " ".join(word + END for word in words_of(text, self.lowercase))

    def fit(self, texts: Iterable[str]) -> BPE:
        library = _library()
        characters: set[str] = set()

        def marked() -> Iterator[str]:
            """One text at a time: a corpus may not fit memory."""
            for text in texts:
                words = self._marked(text)
                characters.update(words)
                yield words

        # Not its special_tokens, which it would look for in texts; ids of characters come from their code points, so
        # that ties, which it breaks by id, fall alike in every process.
        trained = library.Tokenizer(library.models.BPE())
        trained.pre_tokenizer = library.pre_tokenizers.WhitespaceSplit()
        trainer = library.trainers.BpeTrainer(
            vocab_size=self.vocab_size - len(SPECIAL), min_frequency=self.min_count, show_progress=False
        )
        trained.train_from_iterator(marked(), trainer)
        characters.discard(" ")
        if len(characters) + len(SPECIAL) > self.vocab_size:
            raise ConfigError(
                f"tokenizer.vocab_size={self.vocab_size} cannot hold the {len(characters)} characters of the training "
                f"split and {len(SPECIAL)} special tokens: write {len(characters) + len(SPECIAL)} or more"
            )
        ids = trained.get_vocab()
        return self._use([*SPECIAL, *sorted(ids, key=ids.__getitem__)], _merges(trained))

    def _use(self, vocabulary: list[str], merges: list[tuple[str, str]]) -> BPE:
        library = _library()
        self.vocabulary_, self.merges_ = vocabulary, merges
        ids = {token: number for number, token in enumerate(vocabulary)}
        self._model = library.Tokenizer(library.models.BPE(ids, merges, unk_token=SPECIAL[UNKNOWN_ID]))
        self._model.pre_tokenizer = library.pre_tokenizers.WhitespaceSplit()
        return self

    def encode(self, text: str) -> list[int]:
        """Ids of the pieces; never empty: a text without words is one unknown token."""
        if self._model is None:
            return [UNKNOWN_ID]
        return self._model.encode(self._marked(text)).ids or [UNKNOWN_ID]

    def show(self, ids: Sequence[int]) -> str:
        """Words between spaces, their pieces as "un@@ break@@ able", the way the paper's own program prints them."""
        pieces = [self.vocabulary_[number] for number in ids]
        shown = "".join(piece.removesuffix(END) + (" " if piece.endswith(END) else _CUT) for piece in pieces)
        return shown.replace(f"{_CUT} ", " ").removesuffix(" ")

    def decode(self, ids: Sequence[int]) -> str:
        """Words between spaces; an unfinished one at the end stays open."""
        return "".join(self.vocabulary_[number] for number in ids).replace(END, " ").removesuffix(" ")

    def to_json(self) -> dict[str, Any]:
        settings = {"vocab_size": self.vocab_size, "min_count": self.min_count, "lowercase": self.lowercase}
        fitted = {"vocabulary_": self.vocabulary_, "merges_": [list(pair) for pair in self.merges_]}
        return {"type": "bpe", **settings, **fitted}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> BPE:
        made = cls(plain["vocab_size"], plain["min_count"], plain["lowercase"])
        return made._use(list(plain["vocabulary_"]), [(left, right) for left, right in plain["merges_"]])


def _merges(trained: Any) -> list[tuple[str, str]]:
    return [(left, right) for left, right in json.loads(trained.to_str())["model"]["merges"]]


def _library() -> Any:
    """``tokenizers`` without threads of its own, which a fork would complain of.

    Raises:
        ConfigError: it is not installed.
    """
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        import tokenizers
    except ImportError as error:
        raise ConfigError("tokenizer=bpe needs tokenizers, which is not installed: uv sync --extra text") from error
    return tokenizers

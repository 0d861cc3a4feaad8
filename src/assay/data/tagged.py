"""Sentences whose words are tagged, as a file holds them. No torch here.

Readers give a :class:`Tagged`; every refusal of one names its file and line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from assay.errors import ConfigError

TAKEN = ("source", "label", "index", "weight", "characters", "intent")
"""Names of fields that a feature cannot have."""


@dataclass(frozen=True)
class Tagged:
    """The sentences of one file.

    path: of the file, as messages name it.
    words, tags: N lists, as many tags as words.
    lines: N lists, the line of each word.
    features: name -> N lists of what else is known of each word.
    intents: what each sentence as a whole asks for; None where the file does not say.
    notes: what was found.
    """

    path: str
    words: list[list[str]]
    tags: list[list[str]]
    lines: list[list[int]]
    features: Mapping[str, list[list[str]]] = field(default_factory=dict)
    intents: list[str] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.words)

    def at(self, sentence: int, word: int = 0) -> str:
        """Where a word stands, as a message begins."""
        return f"{self.path}, line {self.lines[sentence][word]}"

    def select(self, positions: Sequence[int]) -> Tagged:
        """Some of the sentences."""

        def of(values: list) -> list:
            return [values[position] for position in positions]

        features = {name: of(values) for name, values in self.features.items()}
        intents = None if self.intents is None else of(self.intents)
        return replace(
            self,
            words=of(self.words),
            tags=of(self.tags),
            lines=of(self.lines),
            features=features,
            intents=intents,
        )


@dataclass(frozen=True)
class Sentence:
    """One sentence to be tagged.

    words: as typed.
    features: name -> one value for each word; those that are not known are absent.
    """

    words: list[str]
    features: Mapping[str, list[str]] = field(default_factory=dict)


def refuse_empty(tagged: Tagged) -> None:
    """Raises ConfigError if there is no sentence."""
    if not len(tagged):
        raise ConfigError(f"{tagged.path} holds no sentence")

"""Settings of the generated character tasks, checked before anything runs. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.errors import ConfigError


def _check_alphabet(alphabet: str, character: str) -> int:
    """The number of letters besides the one looked for."""
    if len(character) != 1:
        raise ConfigError(f"data.character={character!r} has {len(character)} letters; one is looked for")
    if repeated := [letter for letter in alphabet if alphabet.count(letter) > 1]:
        raise ConfigError(f"data.alphabet={alphabet} holds {repeated[0]!r} more than once")
    if character not in alphabet:
        raise ConfigError(f"data.character={character} is not in data.alphabet={alphabet}")
    if len(alphabet) < 2:
        raise ConfigError(f"data.alphabet={alphabet} needs a letter besides data.character={character}")
    return len(alphabet) - 1


def check_contains(config: Mapping[str, Any]) -> set[str]:
    """``data=char_contains``: enough different strings of either answer must exist."""
    others = _check_alphabet(str(config["alphabet"]), str(config["character"]))
    low, high = config["min_length"], config["max_length"]
    if not 1 <= low <= high:
        raise ConfigError(f"data.min_length={low} to data.max_length={high} is no range of lengths from 1")
    without = sum(others**length for length in range(low, high + 1))
    held = sum((others + 1) ** length for length in range(low, high + 1)) - without
    _check_count(config["examples"], 2, min(without, held))
    return set()


def check_position(config: Mapping[str, Any]) -> set[str]:
    """``data=char_position``: enough different strings of every position must exist."""
    others = _check_alphabet(str(config["alphabet"]), str(config["character"]))
    length = config["length"]
    if length < 1:
        raise ConfigError(f"data.length={length} is not a length from 1")
    _check_count(config["examples"], length + 1, others ** (length - 1))
    return set()


def _check_count(examples: int, classes: int, possible: int) -> None:
    """At most half of the possible strings are used, so that drawing different ones stays quick."""
    if examples < 5 * classes:
        raise ConfigError(f"data.examples={examples} is too few for {classes} classes; {5 * classes} are the least")
    if -(-examples // classes) * 2 > possible:
        raise ConfigError(
            f"data.examples={examples} are too many for so short a string and alphabet, "
            f"which give {possible} different strings of the rarest class: use at most {possible // 2 * classes}, "
            f"or longer strings or a larger alphabet"
        )

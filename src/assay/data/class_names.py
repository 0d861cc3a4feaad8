"""Classes as a user names them: by name, or by number. No torch here: preflight reads them too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assay.errors import ConfigError

_KEY = "sampling.classes"


def listed(classes: Sequence[str]) -> list[str]:
    """The names, each once.

    Raises:
        ConfigError: there is none, one is empty, or one comes twice.
    """
    names = [str(name).strip() for name in classes]
    if not names:
        raise ConfigError(f"{_KEY}=[] leaves nothing out: write {_KEY}=[NAME,…], or sampling=none")
    if "" in names:
        raise ConfigError(f"{_KEY} holds an empty name; write {_KEY}=[NAME,…]")
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"{_KEY} names {twice[0]} twice")
    return names


def numbers(classes: Sequence[str], names: Sequence[str]) -> list[int]:
    """Which classes are meant, ascending. A name goes before a number: ``[7]`` is the class called 7 if there is one,
    else the eighth.

    Raises:
        ConfigError: there is no such class, one is meant twice, or none would be left.
    """
    found: dict[int, str] = {}
    for word in listed(classes):
        number = names.index(word) if word in names else int(word) if word.isdecimal() else -1
        if not 0 <= number < len(names):
            shown = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
            raise ConfigError(f"{_KEY} names {word!r}, which is no class of this data: {shown}")
        if number in found:
            raise ConfigError(f"{_KEY} means the class {names[number]} twice, by {found[number]!r} and {word!r}")
        found[number] = word
    if len(names) - len(found) < 1:
        raise ConfigError(f"{_KEY} leaves no class to train on; name fewer than all {len(names)}")
    return sorted(found)


def check(config: Mapping[str, Any]) -> set[str]:
    """``sampling=without``: the list can be read. Whether there are such classes is known with the data."""
    listed(config["classes"])
    return set()

"""``class_weights.weights=[NAME:WEIGHT,…]`` as the user types it. No torch here: preflight reads it too."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from assay.errors import ConfigError

_KEY = "class_weights.weights"


def parse(entries: Sequence[str]) -> dict[str, float]:
    """{class: weight}. A name may hold colons: the last one counts.

    Raises:
        ConfigError: an entry is no NAME:WEIGHT, its weight is not above 0, or a name comes twice.
    """
    if not entries:
        raise ConfigError(f"{_KEY}=[] weighs nothing: write {_KEY}=[NAME:WEIGHT,…], or class_weights=none")
    found: dict[str, float] = {}
    for entry in entries:
        name, colon, text = str(entry).rpartition(":")
        name = name.strip()
        try:
            weight = float(text)
        except ValueError:
            weight = math.nan
        if not colon or not name or not (0 < weight < math.inf):
            raise ConfigError(f"{_KEY}: {entry!r} is not NAME:WEIGHT with a weight above 0, as spam:2.5")
        if name in found:
            raise ConfigError(f"{_KEY} names {name} twice")
        found[name] = weight
    return found


def check(config: Mapping[str, Any]) -> set[str]:
    """``class_weights=given``: the list can be read. Whether there are such classes is known with the data."""
    parse(config["weights"])
    return set()

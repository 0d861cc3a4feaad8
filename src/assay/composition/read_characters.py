"""Characters of words are read beside the vectors of words, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.errors import ConfigError


def check(config: Mapping[str, Any]) -> set[str]:
    """The whole config: where ``characters`` are asked for, the model reads vectors of words.

    Raises:
        ConfigError: it reads their ids.
    """
    switches, stem = config.get("switches", {}), config.get("stem") or {}
    name = switches.get("characters", "none")
    takers = [kind for kind, node in stem.items() if "characters" in node]
    kind = next((kind for kind in config.get("reads", ()) if kind in stem), None)
    if name == "none" or not takers or kind is None or kind in takers:
        return set()
    raise ConfigError(
        f"characters={name} goes beside the vector of each word, and model={switches.get('model')} reads their ids: "
        "use characters=none, or model=lstm"
    )

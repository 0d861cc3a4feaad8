"""What makes two points of sweeps the same: all that can change a result, and nothing else. Imports no torch."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

OWN_KEYS = ("sweep", "search", "launcher", "seeds", "folds", "ablate")
"""Of the command, not of a run: what a sweep is made of. No run's config holds them."""

REPEATS = ("seed", "fold")
"""Axes along which a cell of a table is repeated."""

NO_RESULT = frozenset(
    {
        *OWN_KEYS,
        "name",
        "outputs",
        "data_dir",
        "logger",
        "threads",
        "plan",
        "checkpoint",
        "format",
        "hydra",
        "experiment",
    }
)
"""Where a run lies, how it is watched and how fast it goes; an experiment is what it chooses."""

_PLACE = "${data_dir}"


_ROOT = re.compile(r"[+~]*([^.=@/]+)")


def is_own(override: str) -> bool:
    """Whether an override, or key, is for the sweep and not for its points."""
    return root_of(override) in OWN_KEYS


def root_of(override: str) -> str:
    """``data.path=x``, ``+data.path=x``: data."""
    found = _ROOT.match(override)
    return found[1] if found else ""


def identity(config: Mapping[str, Any]) -> str:
    """The digest of a resolved config, less :data:`NO_RESULT`: sixteen digits of the sha256 of its sorted JSON.

    Where the data lie is not what they are: a ``root`` that is ``data_dir`` itself counts as that word.
    """
    kept = {key: value for key, value in config.items() if key not in NO_RESULT}
    if isinstance(switches := kept.get("switches"), Mapping):
        kept["switches"] = {group: name for group, name in switches.items() if group not in NO_RESULT}
    kept = _without_place(kept, config.get("data_dir"))
    text = json.dumps(kept, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _without_place(node: Any, place: Any) -> Any:
    if isinstance(node, Mapping):
        return {
            key: _PLACE if key == "root" and value == place else _without_place(value, place)
            for key, value in node.items()
        }
    return node

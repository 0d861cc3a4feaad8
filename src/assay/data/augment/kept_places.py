"""Whether an edit of a text leaves each word in its place, for the rules of tags. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def check(node: Mapping[str, Any]) -> set[str]:
    """``kept_places`` where dropped words become unknown."""
    return {"kept_places"} if (node.get("word_dropout") or {}).get("becomes") == "unknown" else set()
